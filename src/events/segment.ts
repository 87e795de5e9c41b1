import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

const newline = 0x0a;
const chunk = 64 * 1024;

/** Lines of a file, from some offset. */
export interface FoundLines {
  /** Those that are JSON objects. */
  readonly lines: string[];
  /** How many were not, such as one that a crash tore off. */
  readonly skipped: number;
  /** The offset behind the last of them. */
  readonly end: number;
}

/** How many lines a file holds; one that is torn off counts. */
export async function countLines(path: string): Promise<number> {
  let lines = 0;
  let last = newline;
  for await (const bytes of createReadStream(path) as AsyncIterable<Buffer>) {
    for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) lines += 1;
    last = bytes.at(-1) ?? last;
  }
  return last === newline ? lines : lines + 1;
}

/**
 * Reads whole lines: up to so many, of up to so many bytes, but one at least.
 * @param size bytes of the file that count; what ends there ends a line, whole or not
 */
export async function readLines(
  path: string,
  offset: number,
  size: number,
  most: number,
  bytes: number,
): Promise<FoundLines> {
  await using file = await open(path);
  const lines: string[] = [];
  let skipped = 0;
  let end = offset;
  let rest: Buffer = Buffer.alloc(0);
  for (let at = offset; at < size;) {
    const buffer = Buffer.allocUnsafe(Math.min(chunk, size - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    at += bytesRead;
    // A file that is shorter than it was ends here.
    const isLast = at >= size || bytesRead === 0;
    rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    for (;;) {
      const found = rest.indexOf(newline);
      const length = found < 0 ? (isLast ? rest.length : 0) : found + 1;
      if (length === 0) break;
      if (lines.length > 0 && end + length - offset > bytes) return { lines, skipped, end };
      const line = found < 0 ? undefined : jsonObject(rest.subarray(0, found));
      end += length;
      rest = rest.subarray(length);
      if (line === undefined) skipped += 1;
      else lines.push(line);
      if (lines.length >= most) return { lines, skipped, end };
    }
    if (bytesRead === 0) return { lines, skipped, end: size };
  }
  return { lines, skipped, end };
}

function jsonObject(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8');
  try {
    return typeof JSON.parse(text) === 'object' ? text : undefined;
  } catch {
    return undefined;
  }
}
