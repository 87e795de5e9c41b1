import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCatalog } from '../../src/catalog/create-catalog.ts';
import { BlobService } from '../../src/registry/get-blob.ts';
import { Downloads } from '../../src/registry/downloads.ts';
import { ManifestFetcher } from '../../src/registry/fetch-manifest.ts';
import { ManifestService } from '../../src/registry/get-manifest.ts';
import { ManifestCache } from '../../src/registry/manifest-cache.ts';
import type { FreshnessPolicy, Remote } from '../../src/registry/remote.ts';
import { BlobHealth } from '../../src/registry/blob-health.ts';
import { RouteTable, type ProxiedRoute, type Route } from '../../src/registry/resolve-route.ts';
import { BufferPool } from '../../src/lib/buffer-pool.ts';
import { Pace as Throttle } from '../../src/lib/pace.ts';
import type { BlobReader, Pace, Piece } from '../../src/store/blob-reader.ts';
import { DiskBlobStore } from '../../src/store/disk-blob-store.ts';
import type { EvictionPolicy } from '../../src/store/eviction.ts';
import { Layout } from '../../src/store/layout.ts';
import { verifyBlob } from '../../src/store/verification.ts';
import type { WrongBlob } from '../../src/store/withdraw.ts';
import { OfflineUpstream } from '../../src/upstream/offline-upstream.ts';
import { FakeUpstream } from './fake-upstream.ts';

/** The use cases on a real store and a real catalog, with upstreams that obey the test. */
export type Scaffold = Awaited<ReturnType<typeof createScaffold>>;

export const policy: FreshnessPolicy = {
  tagTtl: () => 60_000,
  negativeTtl: 60_000,
  staleIfError: 3_600_000,
  revalidateBudget: 2_000,
  resumePatience: 60_000,
  keepDeleted: false,
};

/** A store that keeps everything. */
export const noLimit: EvictionPolicy = {
  maxSize: undefined,
  highWatermark: 0.95,
  lowWatermark: 0.9,
  unusedTtl: undefined,
};

export async function createScaffold(overrides: Partial<FreshnessPolicy> = {}) {
  const data = await mkdtemp(join(tmpdir(), 'baleen-test-'));
  const layout = new Layout(data);
  const pool = new BufferPool(4 * 1024 * 1024);
  const store = await DiskBlobStore.open({ layout, pool, eviction: noLimit });
  const catalog = await createCatalog({
    directory: layout.root,
    observer: { error() {}, up() {} },
  });
  const hub = new FakeUpstream('docker.io');
  const other = new FakeUpstream('ghcr.io');
  const remoteOf = (upstream: FakeUpstream): Remote => ({
    name: upstream.name,
    upstream,
    policy: { ...policy, ...overrides },
    permits: () => true,
  });
  const entry = (upstream: FakeUpstream) => ({
    remote: remoteOf(upstream),
    aliases: [],
    hosts: [],
  });
  const entries = [entry(hub), entry(other)];
  const isHosted = (name: string): boolean => name.startsWith('local/');
  const table = new RouteTable(entries, 'docker.io', isHosted);
  const { signal } = new AbortController();
  const stale: string[] = [];
  const notStored: unknown[] = [];
  const cached: string[] = [];
  const observer = {
    notStored: (_route: Route, _reference: string, error: unknown) => notStored.push(error),
    servedStale: (_route: Route, tag: string, error: { code: string }) =>
      stale.push(`${tag} ${error.code}`),
    cached: (route: Route, reference: string) => cached.push(`${route.key} ${reference}`),
    received() {},
    downloadEnded() {},
  };
  const downloads = new Downloads({ store, pool, observer, continueWithoutReaders: true });
  const withdrawn: WrongBlob[] = [];
  const health: BlobHealth = new BlobHealth({
    verify: (digest) =>
      verifyBlob(layout.blob(digest), digest, {
        pace: new Throttle(Infinity),
        onBytes: () => undefined,
        signal,
      }),
    withdraw: (blob) => {
      withdrawn.push(blob);
      return store.delete(blob.digest);
    },
  });
  const blobs = new BlobService({ catalog, store, downloads, health, observer, signal });
  const cache = new ManifestCache(store, health, 1024 * 1024);
  const fetcher = new ManifestFetcher({ catalog, cache, observer, signal });
  const manifests = new ManifestService({ catalog, cache, fetcher, observer, signal });
  return {
    data,
    layout,
    store,
    catalog,
    hub,
    other,
    entries,
    table,
    downloads,
    blobs,
    manifests,
    stale,
    notStored,
    cached,
    health,
    withdrawn,
    cache,
    observer,
    route: (name: string): ProxiedRoute => proxied(table.resolve({ name })),
    /** The same, its upstream being offline by the configuration. */
    offlineRoute: (name: string): ProxiedRoute => {
      const route = proxied(table.resolve({ name }));
      const upstream = new OfflineUpstream(route.remote.name);
      return { ...route, remote: { ...route.remote, offline: true, upstream } };
    },
    async dispose() {
      await downloads.stop();
      await catalog.close();
      // A download that failed leaves a note on its repository behind, perhaps this moment.
      await rm(data, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

/** Reads all of a blob as a client would, at the pace of what is available, and closes it. */
export async function drain(reader: BlobReader): Promise<Buffer> {
  const parts: Buffer[] = [];
  try {
    for (let position = 0; ;) {
      const available = await reader.arrival(position);
      if (available === 0) return Buffer.concat(parts);
      const piece = await nextPiece(reader, position, available);
      parts.push(Buffer.from(piece.bytes));
      position += piece.bytes.length;
      piece.release();
    }
  } finally {
    reader.close();
  }
}

/** The next piece, whether it is in memory or has to be read. Release it. */
export function nextPiece(
  reader: BlobReader,
  position: number,
  max: number,
  pace: Pace = 'swift',
): Promise<Piece> {
  return new Promise((resolve, reject) => {
    const piece = reader.next(position, max, pace, (error, read) => {
      if (read === undefined) reject(error ?? new Error('no piece'));
      else resolve(read);
    });
    if (piece !== undefined) resolve(piece);
  });
}

/** The route, which has to lead to an upstream. */
export function proxied(route: Route): ProxiedRoute {
  if (route.via === 'hosted') throw new Error(`${route.key} is hosted`);
  return route;
}
