import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../lib/atomic-file.ts';
import { isDigest, type Digest } from '../oci/digest.ts';

/** Something that lies in the folder of blobs. */
export interface BlobFile {
  readonly path: string;
  /** Below the folder of blobs: `sha256/ab/<hex>`. */
  readonly name: string;
  /** The blob that it is; undefined for what does not belong there. */
  readonly digest: Digest | undefined;
}

/**
 * Everything in the folder of blobs, in the order of the names; a folder of blobs is listed when
 * its turn comes.
 * @param after where to go on: the name of the last one seen
 * @throws the file system's error for a folder that cannot be read
 */
export async function* walkBlobFiles(blobs: string, after = ''): AsyncGenerator<BlobFile> {
  const isPast = (name: string): boolean => name < after.slice(0, name.length);
  for (const algorithm of await entriesOf(blobs)) {
    if (isPast(algorithm.name)) continue;
    if (!algorithm.isDirectory()) {
      if (algorithm.name > after) yield foreign(blobs, algorithm.name);
    } else {
      for (const prefix of await entriesOf(join(blobs, algorithm.name))) {
        const folder = `${algorithm.name}/${prefix.name}`;
        if (isPast(folder)) continue;
        if (!prefix.isDirectory()) {
          if (folder > after) yield foreign(blobs, folder);
        } else {
          for (const entry of await entriesOf(join(blobs, folder))) {
            const name = `${folder}/${entry.name}`;
            if (name > after) yield fileOf(blobs, name, entry);
          }
        }
      }
    }
  }
}

function fileOf(blobs: string, name: string, entry: Dirent): BlobFile {
  const digest = entry.isFile() ? digestOfName(name) : undefined;
  return { path: join(blobs, name), name, digest };
}

/** The digest of the blob that is stored under a name such as `sha256/ab/<hex>`. */
export function digestOfName(name: string): Digest | undefined {
  const [algorithm, prefix, hex, ...more] = name.split('/');
  const digest = `${algorithm}:${hex}`;
  const isPlace = more.length === 0 && prefix === hex?.slice(0, 2);
  return isPlace && isDigest(digest) ? digest : undefined;
}

function foreign(blobs: string, name: string): BlobFile {
  return { path: join(blobs, name), name, digest: undefined };
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
