import { createCatalog } from '../catalog/create-catalog.ts';
import type { KeyvCatalog } from '../catalog/keyv-catalog.ts';
import { PinRecord } from '../catalog/pin-record.ts';
import type { Config } from '../config/config.ts';
import type { Content } from '../http/content.ts';
import type { BufferPool } from '../lib/buffer-pool.ts';
import { Downloads } from '../registry/downloads.ts';
import { ManifestFetcher } from '../registry/fetch-manifest.ts';
import { BlobService } from '../registry/get-blob.ts';
import { ManifestService } from '../registry/get-manifest.ts';
import { ReferrerListService } from '../registry/list-referrers.ts';
import { TagListService } from '../registry/list-tags.ts';
import { ManifestCache } from '../registry/manifest-cache.ts';
import { pinnedDigests } from '../registry/pinned.ts';
import type { ProxiedRoute } from '../registry/resolve-route.ts';
import { DiskBlobStore } from '../store/disk-blob-store.ts';
import { Layout } from '../store/layout.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import {
  createCatalogObserver,
  createStoreObserver,
  createUpstreamObserver,
} from '../telemetry/observers.ts';
import { createWithdrawObserver } from '../telemetry/repair-observers.ts';
import { createCare, type Care } from './care.ts';
import { createRemotes } from './create-remotes.ts';
import { LiveUpstreams } from './live-upstreams.ts';
import type { RegistryEvents } from './observers.ts';
import { redisOptions } from './redis-options.ts';
import { evictionPolicy } from './store.ts';

export interface PullThroughOptions {
  readonly config: Config;
  readonly version: string;
  /** Memory for what is read. */
  readonly pool: BufferPool;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly observer: RegistryEvents;
  /** Ends all questions to upstreams. */
  readonly signal: AbortSignal;
}

/** What the parts are made of, before they know each other. */
interface Ground extends PullThroughOptions {
  readonly layout: Layout;
  readonly store: DiskBlobStore;
  readonly catalog: KeyvCatalog;
}

/**
 * All that pulls images through: the store and the record of what is cached, the upstreams, and the
 * use cases on top. For the service, and for a command that downloads where none runs. Listens nowhere.
 */
export class PullThrough {
  readonly layout: Layout;
  readonly store: DiskBlobStore;
  readonly catalog: KeyvCatalog;
  readonly downloads: Downloads;
  readonly upstreams: LiveUpstreams;
  readonly pins: PinRecord;
  /** What keeps wrong bytes from being served twice. */
  readonly care: Care;
  readonly cache: ManifestCache;
  readonly content: Content<ProxiedRoute> & {
    readonly manifests: ManifestService;
    readonly blobs: BlobService;
    readonly referrers: ReferrerListService;
  };

  private constructor({ layout, store, catalog, ...options }: Ground) {
    const { config, version, pool, metrics, logger, observer, signal } = options;
    const { storage } = config;
    this.layout = layout;
    this.store = store;
    this.catalog = catalog;
    this.downloads = new Downloads({
      store,
      pool,
      observer,
      continueWithoutReaders: storage.continue_downloads,
    });
    const upstreamObserver = createUpstreamObserver(metrics, logger);
    this.upstreams = new LiveUpstreams(config, {
      create: (next, existing) =>
        createRemotes(next, upstreamObserver, `baleen/${version}`, existing),
      isInUse: (upstream) => this.downloads.uses(upstream),
    });
    this.pins = new PinRecord(layout.root);
    store.evictor.protect(() => pinnedDigests(this.pins, catalog, store));
    this.care = createCare({
      layout,
      limit: storage.quarantine_size,
      store,
      forget: (digest) => this.cache.forget(digest),
      observer: createWithdrawObserver(metrics, logger),
      signal,
    });
    const { health } = this.care;
    this.cache = new ManifestCache(store, health, storage.manifest_cache);
    const fetcher = new ManifestFetcher({ catalog, cache: this.cache, observer, signal });
    const manifests = new ManifestService({
      catalog,
      cache: this.cache,
      fetcher,
      observer,
      signal,
    });
    const { downloads } = this;
    this.content = {
      manifests,
      blobs: new BlobService({ catalog, store, downloads, health, observer, signal }),
      tags: new TagListService(catalog, signal),
      referrers: new ReferrerListService(catalog, manifests, signal),
    };
    this.#measure(metrics, storage.max_size);
  }

  /** @throws the file system's error where the data directory cannot be used */
  static async open(options: PullThroughOptions): Promise<PullThrough> {
    const { config, pool, metrics, logger } = options;
    const layout = new Layout(config.storage.directory);
    const store = await DiskBlobStore.open({
      layout,
      pool,
      eviction: evictionPolicy(config),
      observer: createStoreObserver(metrics.store, logger),
    });
    const catalog = await createCatalog({
      directory: layout.root,
      redis: redisOptions(config),
      observer: createCatalogObserver(metrics, logger),
    });
    return new PullThrough({ ...options, layout, store, catalog });
  }

  /** Gives up what is being downloaded; the spools stay for the next time. */
  async stopDownloads(): Promise<void> {
    // A commit may wait for a sweep through millions of blobs.
    this.store.evictor.stop();
    await this.downloads.stop();
  }

  /** To be called when nobody pulls any more. */
  async close(): Promise<void> {
    await this.store.close();
    await this.upstreams.close();
    await this.catalog.close();
  }

  #measure(metrics: Metrics, limit: number | undefined): void {
    const { usage, spools } = this.store;
    metrics.store.observe(() => ({
      bytes: usage.bytes,
      blobs: usage.blobs,
      spooled: spools.bytes,
      limit,
    }));
    metrics.observeDownloads(() => this.downloads);
    metrics.observeUpstreams(() => this.upstreams.status());
  }
}
