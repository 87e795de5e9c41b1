import { listShards, readShard, type Shard, type StoredBlob } from './blob-walk.ts';
import type { Layout } from './layout.ts';

/**
 * Everything that is stored in some layouts, each once, in ASCII order, and a folder at a time. Where
 * a blob lies in several and its files are of different sizes, one of them is damaged: it is left out.
 * @throws the file system's error for a folder that cannot be read
 */
export async function* inventory(layouts: readonly Layout[]): AsyncGenerator<StoredBlob> {
  const shards = new Map<string, Shard[]>();
  for (const layout of layouts) {
    for (const shard of await listShards(layout)) {
      shards.set(shard.name, [...(shards.get(shard.name) ?? []), shard]);
    }
  }
  for (const name of [...shards.keys()].toSorted()) {
    const blobs = await Promise.all((shards.get(name) ?? []).map(readShard));
    yield* united(blobs.flat());
  }
}

function united(blobs: readonly StoredBlob[]): StoredBlob[] {
  const sizes = new Map<string, Set<number>>();
  const byDigest = new Map<string, StoredBlob>();
  for (const blob of blobs) {
    sizes.set(blob.digest, (sizes.get(blob.digest) ?? new Set()).add(blob.size));
    byDigest.set(blob.digest, blob);
  }
  return [...byDigest.values()]
    .filter(({ digest }) => sizes.get(digest)?.size === 1)
    .toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
}
