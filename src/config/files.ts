import { accessSync, constants, statSync } from 'node:fs';
import type { Fault } from './config-error.ts';
import { forEachLeaf } from './schema-tree.ts';

/** Faults of the files that the configuration names: each has to be there, a file, and readable. */
export function fileFaults(raw: unknown): Fault[] {
  const faults: Fault[] = [];
  forEachLeaf(raw, (path, value, { kind }) => {
    if (kind !== 'file' || typeof value !== 'string' || value === '') return;
    const message = unreadable(value);
    if (message !== undefined) faults.push({ path, message });
  });
  return faults;
}

/** Why a file cannot be read, without its name; undefined where it can. Pipes are files here: shells pass them. */
export function unreadable(file: string): string | undefined {
  try {
    if (statSync(file).isDirectory()) return 'this is a directory, not a file';
    accessSync(file, constants.R_OK);
    return undefined;
  } catch (error) {
    return readFailure(error);
  }
}

const failures: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file'],
  ['ENOTDIR', 'there is no such file'],
  ['EACCES', 'the file may not be read by this user'],
  ['EPERM', 'the file may not be read by this user'],
  ['EISDIR', 'this is a directory, not a file'],
]);

/** A failure to read a file, in words; node's own would quote the path. */
export function readFailure(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown failure';
  return failures.get(code) ?? `the file cannot be read (${code})`;
}
