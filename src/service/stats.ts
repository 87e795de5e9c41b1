import { statfs } from 'node:fs/promises';
import type { Catalog } from '../catalog/catalog.ts';
import type { DiskState } from '../store/disk-health.ts';
import type { DiskBlobStore } from '../store/disk-blob-store.ts';
import type { EvictionPolicy } from '../store/eviction.ts';
import type { HostedStats } from './hosted-stats.ts';

/** What `baleen stats` tells. Sizes are bytes. */
export interface Stats {
  readonly directory: string;
  /** Whether everything has been counted since the start: if not, there is more. */
  readonly counted: boolean;
  readonly blobs: number;
  readonly bytes: number;
  /** Partial downloads, what running ones have yet to receive included. */
  readonly spooled: number;
  readonly max_size: number | null;
  /** What the file system has left for us. */
  readonly free: number | null;
  readonly disk: DiskState;
  /** Downloads that are running. */
  readonly downloads: number;
  /** Repositories of which something is cached, by upstream. */
  readonly repositories: Readonly<Record<string, number>>;
  /** What was pushed. */
  readonly hosted: HostedStats;
}

/** Looks at a store and a catalog. */
export async function gatherStats(
  directory: string,
  store: DiskBlobStore,
  catalog: Pick<Catalog, 'repositories'>,
  policy: EvictionPolicy,
  hosted: HostedStats,
): Promise<Stats> {
  const repositories: Record<string, number> = {};
  for (const name of await catalog.repositories()) {
    const upstream = name.slice(0, name.indexOf('/'));
    repositories[upstream] = (repositories[upstream] ?? 0) + 1;
  }
  const system = await statfs(directory).catch(() => undefined);
  return {
    directory,
    counted: store.usage.isCounted,
    blobs: store.usage.blobs,
    bytes: store.usage.bytes,
    spooled: store.spools.bytes,
    max_size: policy.maxSize ?? null,
    free: system === undefined ? null : system.bavail * system.bsize,
    disk: store.health.state,
    downloads: store.spools.growing,
    repositories,
    hosted,
  };
}
