import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { FileSource, StreamSource, type ByteSource } from '../lib/byte-source.ts';
import { CommandFailure, type Input } from './context.ts';

/**
 * Finds what is to be read: a file, the parts of one (`bundle.tar.001`, …), in whatever order they are
 * named, or `-` for standard input.
 * @throws CommandFailure where a part is missing, or these are no parts of one file
 */
export async function importInput(files: readonly string[], stdin: Input): Promise<ByteSource> {
  if (files.length === 1 && files[0] === '-') {
    return new StreamSource(stdin);
  }
  const paths = files.length === 1 ? files : orderedParts(files);
  for (const path of paths) {
    const found = await stat(path).catch((cause: unknown) => {
      throw new CommandFailure(`${path} cannot be read: ${(cause as Error).message}`, { cause });
    });
    if (found.isDirectory()) throw new CommandFailure(`${path} is a folder`);
  }
  return new FileSource(paths);
}

/** What the next part would be called; undefined where the last file is no part of one. */
export function nextPart(files: readonly string[]): string | undefined {
  const [, whole, digits] = /^(.+)\.(\d{3,})$/.exec(basename(files.toSorted().at(-1) ?? '')) ?? [];
  if (whole === undefined || digits === undefined) return undefined;
  return `${whole}.${String(Number(digits) + 1).padStart(3, '0')}`;
}

/**
 * Brings parts into their order.
 * @throws CommandFailure
 */
export function orderedParts(files: readonly string[]): string[] {
  const parts = files.map((path) => {
    const [, whole, digits] = /^(.+)\.(\d{3,})$/.exec(basename(path)) ?? [];
    if (whole === undefined || digits === undefined) {
      throw new CommandFailure(
        `${path} is no part of a file: parts are called like bundle.tar.001; import one file at a time`,
      );
    }
    return { path, name: whole, number: Number(digits) };
  });
  const [first] = parts;
  const other = parts.find(({ name }) => name !== first?.name);
  if (other !== undefined) {
    throw new CommandFailure(`${first?.path} and ${other.path} are parts of different files`);
  }
  const sorted = parts.toSorted((a, b) => a.number - b.number);
  for (const [at, { number }] of sorted.entries()) {
    if (number === at + 1) continue;
    const missing = String(at + 1).padStart(3, '0');
    throw new CommandFailure(
      number <= at
        ? `part ${String(number).padStart(3, '0')} of ${first?.name} is named twice`
        : `part ${missing} of ${first?.name} is missing`,
    );
  }
  return sorted.map(({ path }) => path);
}
