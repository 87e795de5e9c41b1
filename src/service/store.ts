import type { Config } from '../config/config.ts';
import type { CollectionReport } from '../hosted/collection.ts';
import { BufferPool } from '../lib/buffer-pool.ts';
import { DiskBlobStore, type DiskBlobStoreOptions } from '../store/disk-blob-store.ts';
import type { EvictionPolicy } from '../store/eviction.ts';
import type { Evicted } from '../store/evictor.ts';
import { Layout } from '../store/layout.ts';

/** What the configuration says about the store's limits. */
export function evictionPolicy({ storage }: Config): EvictionPolicy {
  return {
    maxSize: storage.max_size,
    highWatermark: storage.high_watermark,
    lowWatermark: storage.low_watermark,
    unusedTtl: storage.unused_ttl,
  };
}

/** For what was pushed: it is nowhere else. */
export const keepsEverything: EvictionPolicy = {
  maxSize: undefined,
  highWatermark: 1,
  lowWatermark: 1,
  unusedTtl: undefined,
  keepsEverything: true,
};

/**
 * Bytes of what was pushed that may be in quarantine: what a disk cannot give back today it may give
 * back tomorrow, and there is no other copy.
 */
export const keepsAll = Infinity;

/**
 * The store of a data directory, for a command that works on it while no Baleen runs: nothing is
 * cleared away, so that one which runs unnoticed is not disturbed.
 */
export async function inspectStore(
  config: Config,
  observer?: DiskBlobStoreOptions['observer'],
  part: Layout['part'] = 'cached',
): Promise<DiskBlobStore> {
  const layout = new Layout(config.storage.directory, part);
  const pool = new BufferPool(0);
  const eviction = part === 'hosted' ? keepsEverything : evictionPolicy(config);
  const store = new DiskBlobStore({ layout, pool, eviction, observer });
  await store.spools.scan();
  return store;
}

/** What `baleen gc` tells. */
export interface GcReport extends Evicted {
  /** What was done about what was pushed; left out where nothing was ever pushed. */
  readonly hosted?: CollectionReport | undefined;
  /** Nothing was removed: this is what would be. */
  readonly dry_run: boolean;
  /** Bytes of all blobs and partial downloads before. */
  readonly before: number;
  /** The same afterwards, or as it would be. */
  readonly after: number;
}

/** Brings a store within its limits, or only tells what that would remove. */
export async function collectGarbage(
  store: DiskBlobStore,
  spoolTtl: number,
  dryRun: boolean,
): Promise<GcReport> {
  const leftoversBefore = Date.now() - spoolTtl;
  if (dryRun) {
    const planned = await store.evictor.plan(leftoversBefore);
    const before = store.occupied;
    return { ...planned, dry_run: true, before, after: before - planned.bytes };
  }
  await store.usage.count(new AbortController().signal);
  const before = store.occupied;
  const expired = await store.evictor.expire(leftoversBefore);
  const swept = await store.evictor.sweep();
  return {
    blobs: expired.blobs + swept.blobs,
    bytes: expired.bytes + swept.bytes,
    dry_run: false,
    before,
    after: store.occupied,
  };
}
