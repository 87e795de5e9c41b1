import { stat } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Digest } from '../oci/digest.ts';
import { walkBlobFiles, type BlobFile } from './blob-files.ts';
import type { Layout } from './layout.ts';

/** How far a round has come: names of files, '' before the first. */
export interface RoundPlace {
  /** The last that was seen of those that come first. */
  readonly first: string;
  /** The last that was seen of the others. */
  readonly after: string;
}

/**
 * Everything in the folder of blobs, each once: some blobs first, as far as they are stored, then the
 * others, in the order of the names. Who goes on with a round in the middle sees what came first a
 * second time.
 * @throws the file system's error for a folder that cannot be read
 */
export async function* blobRound(
  layout: Layout,
  first: ReadonlySet<Digest>,
  from: RoundPlace = { first: '', after: '' },
): AsyncGenerator<BlobFile & { readonly isFirst: boolean }> {
  const seen = new Set<Digest>();
  if (from.after === '') {
    const files = [...first]
      .map((digest) => fileOf(layout, digest))
      .filter(({ name }) => name > from.first);
    for (const file of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      // Not cached yet, or evicted; what cannot be looked at is met again among the others.
      if ((await stat(file.path).catch(() => undefined))?.isFile() !== true) continue;
      seen.add(file.digest);
      yield { ...file, isFirst: true };
    }
  }
  for await (const file of walkBlobFiles(layout.blobs, from.after)) {
    if (file.digest === undefined || !seen.has(file.digest)) yield { ...file, isFirst: false };
  }
}

function fileOf(layout: Layout, digest: Digest): BlobFile & { readonly digest: Digest } {
  const path = layout.blob(digest);
  return { path, name: relative(layout.blobs, path), digest };
}
