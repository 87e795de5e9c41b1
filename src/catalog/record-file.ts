import { open } from 'node:fs/promises';
import { isMissing } from '../lib/atomic-file.ts';
import { RegistryError } from '../oci/errors.ts';
import type { CatalogObserver } from './catalog-observer.ts';
import { maxClockSkew, type Known, type Parse } from './known.ts';

/** How files of the record are read. */
export interface RecordReading {
  readonly observer: CatalogObserver;
  /** Bytes. */
  readonly limit: number;
  /** Fails where the disk does, since "absent" would be a wrong answer. */
  readonly strict: boolean;
}

/**
 * Reads one file of the record; its modification time is the time at which it was true. A file
 * that is unreadable, too large or malformed is reported and counts as absent.
 * @param parse given the document's fields and the time
 * @throws RegistryError UNAVAILABLE where the reading is strict and the disk fails
 */
export async function readRecordFile<V>(
  path: string,
  parse: (document: Record<string, unknown>, at: number) => ReturnType<Parse<V>>,
  { observer, limit, strict }: RecordReading,
): Promise<Known<V> | undefined> {
  try {
    await using handle = await open(path, 'r');
    const stats = await handle.stat();
    if (!stats.isFile()) throw new Error(`${path} is not a file`);
    if (stats.size > limit) throw new Error(`${path} is larger than ${limit} bytes`);
    const document: unknown = parseJson(await handle.readFile('utf8'), path);
    const at = trusted(Math.round(stats.mtimeMs));
    const value =
      typeof document === 'object' && document !== null
        ? parse(document as Record<string, unknown>, at)
        : undefined;
    if (value === undefined) throw new Error(`${path} is malformed`);
    return { at, value };
  } catch (error) {
    if (isMissing(error)) return undefined;
    observer.error({ operation: 'record.read', error });
    if (strict && isSystemError(error)) throw unreadable(error);
    return undefined;
  }
}

/** What a strict record fails with where the disk does not let it be read. */
export function unreadable(cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the record cannot be read', { cause });
}

function isSystemError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code !== undefined;
}

/** JSON on one line, as it stands in the files of the record. */
export function toLine(document: unknown): string {
  return `${JSON.stringify(document)}\n`;
}

/** A time ahead of the clock (a restored backup, a clock set back) proves nothing: it is long ago. */
function trusted(time: number): number {
  return time > Date.now() + maxClockSkew ? 0 : time;
}

/** What the parser says alone does not tell which file is broken. */
function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path} is not JSON`, { cause });
  }
}
