import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { isRegistryError } from '../oci/errors.ts';
import { findImages, maxListSize } from '../warm/find-images.ts';
import type { FoundImage } from '../warm/image-findings.ts';
import { explainImageText, readImageText } from '../warm/image-text.ts';
import { printable } from './printable.ts';
import { count } from './warm-words.ts';
import type { Input } from './context.ts';

/** What is to be warmed, gathered from everywhere. */
export interface WarmList {
  readonly images: readonly FoundImage[];
  /** What in the files is no image: `list.txt:12: …`. */
  readonly faults: readonly string[];
}

/** The command line names something that is no image, or a file that cannot be read. */
export class WarmListFault extends Error {
  override readonly name = 'WarmListFault';
}

/** Means standard input where a file is asked for. */
const standardInput = '-';

/**
 * Gathers the images that the arguments and files name. Where there is neither, what another program
 * writes into this one is read.
 * @throws WarmListFault
 */
export async function gatherImages(
  references: readonly string[],
  files: readonly string[],
  stdin: Input,
): Promise<WarmList> {
  const images = references.map(fromArgument);
  const faults: string[] = [];
  const isPiped = references.length === 0 && files.length === 0 && stdin.isTTY !== true;
  for (const file of isPiped ? [standardInput] : files) {
    const name = file === standardInput ? 'standard input' : file;
    try {
      const input = file === standardInput ? stdin : createReadStream(file);
      const found = await findImages(await readAll(input));
      images.push(...found.images);
      for (const { line, message } of found.faults) {
        faults.push(`${name}${line === undefined ? '' : `:${line}`}: ${message}`);
      }
    } catch (error) {
      throw new WarmListFault(`${name}: ${explain(error)}`, { cause: error });
    }
  }
  return { images, faults };
}

function fromArgument(text: string): FoundImage {
  const read = readImageText(text);
  if (read.kind === 'image') return { reference: read.reference };
  throw new WarmListFault(explainImageText(text, read.kind));
}

async function readAll(input: Readable): Promise<string> {
  input.setEncoding('utf8');
  let text = '';
  for await (const chunk of input) {
    text += String(chunk);
    // How much is too much, and what is to be said then, is known further on.
    if (text.length > maxListSize) break;
  }
  return text;
}

function explain(error: unknown): string {
  if (isRegistryError(error)) return error.message;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a directory';
  if (code === 'EACCES') return 'it may not be read';
  return String(error);
}

/** What is left out, in a sentence. */
export function describeFaults(faults: readonly string[]): string {
  return `left out, since they are no images (${count(faults.length, 'place')}):\n${faults.map((fault) => `  ${printable(fault)}\n`).join('')}`;
}
