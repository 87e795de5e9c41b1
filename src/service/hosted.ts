import { createCatalog } from '../catalog/create-catalog.ts';
import type { KeyvCatalog } from '../catalog/keyv-catalog.ts';
import type { Config } from '../config/config.ts';
import { MemberFiles } from '../catalog/member-files.ts';
import { BlobLeases } from '../hosted/blob-leases.ts';
import { HostedBlobs } from '../hosted/hosted-blobs.ts';
import { HostedLocks } from '../hosted/hosted-locks.ts';
import { HostedManifests } from '../hosted/hosted-manifests.ts';
import { HostedReferrers } from '../hosted/hosted-referrers.ts';
import { HostedTags } from '../hosted/hosted-tags.ts';
import type { Content } from '../http/content.ts';
import type { BufferPool } from '../lib/buffer-pool.ts';
import { ManifestCache } from '../registry/manifest-cache.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import { DiskBlobStore } from '../store/disk-blob-store.ts';
import { Layout } from '../store/layout.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createCatalogObserver, createStoreObserver } from '../telemetry/observers.ts';
import { createWithdrawObserver } from '../telemetry/repair-observers.ts';
import { createCare } from './care.ts';
import { keepsEverything } from './store.ts';

export interface HostedOptions {
  readonly config: Config;
  /** Memory for what is sent. */
  readonly pool: BufferPool;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Ends what goes on for clients, at shutdown. */
  readonly signal: AbortSignal;
}

/**
 * The registry of what is pushed: a store and a record of its own, which no eviction, purge or
 * Redis ever touches.
 */
export class Hosted {
  readonly content: Content<HostedRoute>;
  readonly #locks = new HostedLocks();
  readonly #store: DiskBlobStore;
  readonly #catalog: KeyvCatalog;

  private constructor(
    options: HostedOptions,
    layout: Layout,
    store: DiskBlobStore,
    catalog: KeyvCatalog,
  ) {
    const { config, metrics, logger, signal } = options;
    const { manifest_cache, quarantine_size } = config.storage;
    this.#store = store;
    this.#catalog = catalog;
    const { health } = createCare({
      layout,
      store,
      limit: quarantine_size,
      forget: (digest) => cache.forget(digest),
      observer: createWithdrawObserver(metrics, logger),
      signal,
    });
    const cache = new ManifestCache(store, health, manifest_cache);
    const files = new MemberFiles(layout.root);
    const leases = new BlobLeases({
      files,
      locks: this.#locks,
      grace: config.hosted.gc.grace,
    });
    this.content = {
      manifests: new HostedManifests({ catalog, cache }),
      blobs: new HostedBlobs({ catalog, store, health, leases }),
      tags: new HostedTags(catalog),
      referrers: new HostedReferrers(),
    };
  }

  /** @throws the file system's error where the directory cannot be used */
  static async open(options: HostedOptions): Promise<Hosted> {
    const { config, pool, metrics, logger } = options;
    const layout = new Layout(config.storage.directory, 'hosted');
    const observer = createStoreObserver(metrics.store, logger);
    const store = await DiskBlobStore.open({ layout, pool, eviction: keepsEverything, observer });
    const catalog = await createCatalog({
      directory: layout.root,
      onlyRecorded: true,
      observer: createCatalogObserver(metrics, logger),
    });
    return new Hosted(options, layout, store, catalog);
  }

  async close(): Promise<void> {
    await this.#store.close();
    await this.#catalog.close();
  }
}
