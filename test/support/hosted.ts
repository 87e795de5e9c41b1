import { MemberFiles } from '../../src/catalog/member-files.ts';
import { createCatalog } from '../../src/catalog/create-catalog.ts';
import { BlobDeletion } from '../../src/hosted/blob-deletion.ts';
import { BlobLeases } from '../../src/hosted/blob-leases.ts';
import { HostedBlobs } from '../../src/hosted/hosted-blobs.ts';
import { HostedRules } from '../../src/hosted/hosted-rules.ts';
import { HostedLocks } from '../../src/hosted/hosted-locks.ts';
import { Mount, type Shelf } from '../../src/hosted/mount.ts';
import type { MountResult, UploadResult } from '../../src/hosted/upload-observer.ts';
import { UploadSessions } from '../../src/hosted/upload-sessions.ts';
import { Uploads } from '../../src/hosted/uploads.ts';
import type { Content } from '../../src/http/content.ts';
import { BufferPool } from '../../src/lib/buffer-pool.ts';
import { Pace } from '../../src/lib/pace.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { parseRepositoryName, qualify } from '../../src/oci/repository-name.ts';
import { BlobHealth } from '../../src/registry/blob-health.ts';
import { ManifestCache } from '../../src/registry/manifest-cache.ts';
import type { HostedRoute } from '../../src/registry/resolve-route.ts';
import { createHostedManifests } from '../../src/service/hosted-manifests.ts';
import { keepsEverything } from '../../src/service/store.ts';
import { DiskBlobStore } from '../../src/store/disk-blob-store.ts';
import { Layout } from '../../src/store/layout.ts';
import { verifyBlob } from '../../src/store/verification.ts';

export interface HostedScaffoldOptions {
  /** What is pulled through, to be mounted from. */
  readonly cached?: Shelf;
  readonly maxBlobSize?: number;
  readonly delete?: boolean;
  readonly maxUploads?: number;
  /** Milliseconds. */
  readonly ttl?: number;
}

/** The use cases of what is pushed, on a real store and a real record. */
export type HostedScaffold = Awaited<ReturnType<typeof createHostedScaffold>>;

/** @param data opened again with what is there, as after a restart */
export async function createHostedScaffold(data: string, options: HostedScaffoldOptions = {}) {
  const layout = new Layout(data, 'hosted');
  const pool = new BufferPool(4 * 1024 * 1024);
  const store = await DiskBlobStore.open({ layout, pool, eviction: keepsEverything });
  const catalog = await createCatalog({
    directory: layout.root,
    onlyRecorded: true,
    observer: { error() {}, up() {} },
  });
  const locks = new HostedLocks();
  const files = new MemberFiles(layout.root);
  const leases = new BlobLeases({ files, locks, grace: () => 3_600_000, refused() {} });
  const results: UploadResult[] = [];
  const mounts: MountResult[] = [];
  const received = { bytes: 0 };
  const failures: unknown[] = [];
  const observer = {
    received: (bytes: number) => void (received.bytes += bytes),
    ended: (result: UploadResult) => void results.push(result),
    mounted: (result: MountResult) => void mounts.push(result),
    leftBehind: (error: unknown) => void failures.push(error),
  };
  const health = new BlobHealth({
    verify: (digest) =>
      verifyBlob(layout.blob(digest), digest, {
        pace: new Pace(Infinity),
        onBytes: () => undefined,
        signal: new AbortController().signal,
      }),
    withdraw: (blob) => store.delete(blob.digest),
  });
  const cache = new ManifestCache(store, health, 1024 * 1024);
  const { maxBlobSize = 2 ** 40, maxUploads = 100, ttl = 3_600_000 } = options;
  const sessions = new UploadSessions({ folder: layout.uploads, store, maxUploads, ttl, observer });
  await sessions.recover();
  const shared = { catalog, locks, observer };
  const hosted: Shelf = { layout, store, catalog };
  const lost: Digest[] = [];
  const rules = new HostedRules({ delete: options.delete ?? true, rules: [] });
  const manifests = createHostedManifests({
    layout,
    catalog,
    store,
    cache,
    locks,
    rules,
    observer: { error() {}, up() {}, lost: (_route, _reference, digest) => void lost.push(digest) },
  });
  const content: Content<HostedRoute> = {
    ...manifests.content,
    blobs: new HostedBlobs({ catalog, store, health, leases }),
  };
  return {
    content,
    manifests: manifests.changes,
    blobs: new BlobDeletion({ catalog, locks, namers: manifests.namers, rules }),
    /** Manifests that were asked for and not found where they should be. */
    lost,
    layout,
    store,
    catalog,
    locks,
    sessions,
    uploads: new Uploads({ ...shared, sessions, store, maxBlobSize }),
    mount: new Mount({ ...shared, hosted, cached: options.cached ?? hosted }),
    /** How uploads ended. */
    results,
    mounts,
    received,
    /** What was left behind. */
    failures,
    async close() {
      await sessions.close();
      await store.close();
      await catalog.close();
    },
  };
}

/** The route of a hosted repository. */
export function hostedRouteOf(name: string): HostedRoute {
  const repository = parseRepositoryName(name);
  return { via: 'hosted', repository, key: qualify('_hosted', repository) };
}
