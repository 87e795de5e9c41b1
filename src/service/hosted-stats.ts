import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalog } from '../catalog/catalog.ts';
import { sizeOfData } from '../hosted/upload-data.ts';
import { isMissing } from '../lib/atomic-file.ts';
import type { DiskBlobStore } from '../store/disk-blob-store.ts';

/** What `baleen stats` tells of what was pushed. Sizes are bytes. */
export interface HostedStats {
  /** Whether everything has been counted since the start: if not, there is more. */
  readonly counted: boolean;
  readonly blobs: number;
  readonly bytes: number;
  readonly repositories: number;
  /** Uploads that have begun and not ended, and what they have on the disk. */
  readonly uploads: number;
  readonly upload_bytes: number;
}

/** Looks at the store and the record of what was pushed. */
export async function gatherHostedStats(
  { usage }: DiskBlobStore,
  catalog: Pick<Catalog, 'repositories'>,
  uploads: { readonly count: number; readonly bytes: number },
): Promise<HostedStats> {
  const { length: repositories } = await catalog.repositories();
  return {
    counted: usage.isCounted,
    blobs: usage.blobs,
    bytes: usage.bytes,
    repositories,
    uploads: uploads.count,
    upload_bytes: uploads.bytes,
  };
}

/** Counts uploads by their folders, where no Baleen runs that knows them. */
export async function measureUploads(
  folder: string,
): Promise<{ readonly count: number; readonly bytes: number }> {
  try {
    const names = await readdir(folder);
    let bytes = 0;
    for (const name of names) bytes += await sizeOfData(join(folder, name, 'data'));
    return { count: names.length, bytes };
  } catch (error) {
    if (isMissing(error)) return { count: 0, bytes: 0 };
    throw error;
  }
}
