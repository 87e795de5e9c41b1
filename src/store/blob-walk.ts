import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../lib/atomic-file.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import type { Layout } from './layout.ts';

/** A committed blob as it lies on the disk. */
export interface StoredBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** When it was last used, in milliseconds since the epoch: the file's modification time. */
  readonly usedAt: number;
}

/** One folder of blobs, `sha256/ab`. */
export interface Shard {
  readonly name: string;
  readonly algorithm: string;
  readonly path: string;
}

/** Files looked at together: few, for the threads that do it also read what clients wait for. */
const width = 2;

/** All folders of blobs, in a fixed order. */
export async function listShards({ blobs }: Layout): Promise<Shard[]> {
  const shards: Shard[] = [];
  for (const algorithm of await entries(blobs)) {
    for (const prefix of await entries(join(blobs, algorithm))) {
      const name = `${algorithm}/${prefix}`;
      shards.push({ name, algorithm, path: join(blobs, algorithm, prefix) });
    }
  }
  return shards;
}

/** The blobs in one folder; what is none is passed over. */
export async function readShard({ algorithm, path }: Shard): Promise<StoredBlob[]> {
  const found: StoredBlob[] = [];
  const names = (await entries(path)).values();
  const worker = async (): Promise<void> => {
    for (const name of names) {
      const digest = `${algorithm}:${name}`;
      if (!isDigest(digest)) continue;
      // Removed since the folder was listed, or out of reach: not there in either case.
      const stats = await stat(join(path, name)).catch(() => undefined);
      if (stats?.isFile() === true) {
        found.push({ digest, size: stats.size, usedAt: stats.mtimeMs });
      }
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return found;
}

async function entries(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (isMissing(error) || code === 'ENOTDIR') return [];
    throw error;
  }
}
