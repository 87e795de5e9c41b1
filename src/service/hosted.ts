import { createCatalog } from '../catalog/create-catalog.ts';
import type { KeyvCatalog } from '../catalog/keyv-catalog.ts';
import type { Config } from '../config/config.ts';
import { MemberFiles } from '../catalog/member-files.ts';
import { BlobLeases } from '../hosted/blob-leases.ts';
import { BlobDeletion } from '../hosted/blob-deletion.ts';
import { HostedBlobs } from '../hosted/hosted-blobs.ts';
import { HostedLocks } from '../hosted/hosted-locks.ts';
import { HostedRules } from '../hosted/hosted-rules.ts';
import { ImageAdoption } from '../hosted/image-adoption.ts';
import { Mount, type Shelf } from '../hosted/mount.ts';
import { UploadSessions } from '../hosted/upload-sessions.ts';
import { Uploads } from '../hosted/uploads.ts';
import type { Changes, Content } from '../http/content.ts';
import type { BufferPool } from '../lib/buffer-pool.ts';
import { SignOfLife } from '../lib/sign-of-life.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import { ManifestCache } from '../registry/manifest-cache.ts';
import type { VerifyOptions } from '../registry/verify.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import { DiskBlobStore } from '../store/disk-blob-store.ts';
import { diskStateOf, type DiskState } from '../store/disk-health.ts';
import { startHousekeeping } from '../store/housekeeping.ts';
import { Layout } from '../store/layout.ts';
import type { StoreObserver } from '../store/store-observer.ts';
import { createCollectionObserver } from '../telemetry/hosted-gc-observer.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import {
  createHostedScrubObserver,
  createHostedManifestObserver,
  createHostedStoreObserver,
  createHostedWithdrawObserver,
  createUploadObserver,
} from '../telemetry/hosted-observers.ts';
import { createCatalogObserver } from '../telemetry/observers.ts';
import { createCare, type Care } from './care.ts';
import { createHostedManifests } from './hosted-manifests.ts';
import { HostedUpkeep } from './hosted-upkeep.ts';
import { signFile } from './hosted-workbench.ts';
import type { Reloadable } from './reload.ts';
import { expireUploads } from './upload-expiry.ts';
import { gatherHostedStats, type HostedStats } from './hosted-stats.ts';
import type { Scrubbing } from './scrubbing.ts';
import { keepsAll, keepsEverything } from './store.ts';
import { tidy } from './tidy.ts';

export interface HostedOptions {
  readonly config: Config;
  /** Memory for what is sent. */
  readonly pool: BufferPool;
  /** What is pulled through, of which blobs can be mounted. */
  readonly cached: Shelf;
  readonly scrubbing: Scrubbing;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Ends what goes on for clients, at shutdown. */
  readonly signal: AbortSignal;
}

/**
 * The registry of what is pushed: a store and a record of its own, which no eviction, purge or
 * Redis ever touches.
 */
export class Hosted implements Reloadable {
  readonly content: Content<HostedRoute>;
  readonly changes: Changes;
  /** Takes in what was verified elsewhere. */
  readonly adoption: ImageAdoption;
  /** Uploads that are open. */
  readonly sessions: UploadSessions;
  readonly upkeep: HostedUpkeep;
  readonly #sign: SignOfLife;
  readonly #options: HostedOptions;
  readonly #rules: HostedRules;
  readonly #layout: Layout;
  readonly #care: Care;
  readonly #locks = new HostedLocks();
  readonly #store: DiskBlobStore;
  readonly #catalog: KeyvCatalog;

  private constructor(
    options: HostedOptions,
    layout: Layout,
    store: DiskBlobStore,
    catalog: KeyvCatalog,
    sign: SignOfLife,
  ) {
    const { config, metrics, logger, signal } = options;
    const { manifest_cache } = config.storage;
    this.#options = options;
    this.#layout = layout;
    this.#store = store;
    this.#catalog = catalog;
    this.#sign = sign;
    this.#care = createCare({
      layout,
      store,
      limit: keepsAll,
      forget: (digest) => cache.forget(digest),
      observer: createHostedWithdrawObserver(metrics, logger),
      signal,
    });
    const { health } = this.#care;
    const cache = new ManifestCache(store, health, manifest_cache);
    const files = new MemberFiles(layout.root);
    const grace = (): number => this.upkeep.config.gc.grace;
    const leases = new BlobLeases({
      files,
      locks: this.#locks,
      grace,
      refused: (error) => void store.refused('touch', error),
    });
    const observer = createUploadObserver(metrics.hosted, logger);
    this.sessions = new UploadSessions({
      folder: layout.uploads,
      store,
      maxUploads: config.hosted.max_uploads,
      ttl: config.hosted.upload_ttl,
      observer,
    });
    const shared = { catalog, locks: this.#locks, observer };
    const changes = {
      uploads: new Uploads({
        ...shared,
        sessions: this.sessions,
        store,
        maxBlobSize: config.hosted.max_blob_size,
      }),
      mount: new Mount({ ...shared, hosted: { layout, store, catalog }, cached: options.cached }),
    };
    this.#rules = new HostedRules(config.hosted);
    const manifests = createHostedManifests({
      layout,
      catalog,
      store,
      cache,
      locks: this.#locks,
      rules: this.#rules,
      observer: {
        ...createCatalogObserver(metrics, logger),
        ...createHostedManifestObserver(metrics.hosted, logger),
      },
    });
    this.content = {
      ...manifests.content,
      blobs: new HostedBlobs({ catalog, store, health, leases }),
    };
    this.adoption = new ImageAdoption({
      layout,
      store,
      catalog,
      locks: this.#locks,
      rules: this.#rules,
      shelf: manifests.shelf,
    });
    const { namers } = manifests;
    this.changes = {
      ...changes,
      manifests: manifests.changes,
      blobs: new BlobDeletion({ catalog, locks: this.#locks, namers, rules: this.#rules }),
    };
    this.upkeep = new HostedUpkeep({
      config: config.hosted,
      layout,
      store,
      catalog,
      locks: this.#locks,
      removal: manifests.shelf,
      remove: (digest) => {
        cache.forget(digest);
        return store.delete(digest);
      },
      observer: createCollectionObserver(metrics.hostedGc, logger),
    });
  }

  /** @throws the file system's error where the directory cannot be used */
  static async open(options: HostedOptions): Promise<Hosted> {
    const { config, pool, cached, metrics, logger } = options;
    const layout = new Layout(config.storage.directory, 'hosted');
    const told = createHostedStoreObserver(metrics.store, logger);
    const observer: StoreObserver = {
      ...told,
      diskFailed(operation, error) {
        told.diskFailed(operation, error);
        // What is cached can be fetched again: it makes room for what is pushed.
        if (diskStateOf(error) === 'full') cached.store.evictor.relieve();
      },
    };
    const store = await DiskBlobStore.open({ layout, pool, eviction: keepsEverything, observer });
    const catalog = await createCatalog({
      directory: layout.root,
      onlyRecorded: true,
      observer: createCatalogObserver(metrics, logger),
    });
    const sign = await SignOfLife.tryToBegin(signFile(layout), 'serve', layout.temporary);
    const hosted = new Hosted(options, layout, store, catalog, sign);
    await hosted.sessions.recover();
    metrics.hosted.observe(() => ({
      bytes: store.usage.bytes,
      blobs: store.usage.blobs,
      uploads: hosted.sessions.count,
      uploadBytes: hosted.sessions.bytes,
    }));
    return hosted;
  }

  /** What there is to be verified. */
  get verifiable(): VerifyOptions {
    const { quarantine, withdraw } = this.#care;
    const locks = this.#locks;
    return {
      layout: this.#layout,
      catalog: this.#catalog,
      quarantine,
      withdraw,
      exclusively: (place, work) =>
        locks.withRepository(place.repository, () =>
          'digest' in place ? locks.withBlobs([place.digest], work) : work(),
        ),
    };
  }

  /** How much there is. */
  stats(): Promise<HostedStats> {
    return gatherHostedStats(this.#store, this.#catalog, this.sessions);
  }

  /** How the disk is, as far as pushes have seen. */
  get disk(): DiskState {
    return this.#store.health.state;
  }

  /** Does what is to be done behind the service; settles when the signal says stop. */
  async run(signal: AbortSignal): Promise<void> {
    const { config, scrubbing, metrics, logger } = this.#options;
    const { hosted, storage } = config;
    const stop = startHousekeeping({
      store: this.#store,
      spoolTtl: storage.spool_ttl,
      unusedTtl: undefined,
    });
    const observer = createHostedScrubObserver(metrics, logger);
    const scrubbed = {
      layout: this.#layout,
      store: this.#store,
      withdraw: this.#care.withdraw,
      observer,
    };
    await Promise.all([
      expireUploads(this.sessions, hosted.upload_ttl, signal),
      scrubbing.run(scrubbed, signal),
      tidy(this.#layout, logger, signal),
      this.upkeep.run(signal),
    ]);
    stop();
  }

  /** The repositories that something was pushed to, in ASCII order. */
  repositories(): Promise<QualifiedName[]> {
    return this.#catalog.repositories();
  }

  /** Follows what clients may not do, and what is collected. */
  prepare(next: Config): () => void {
    const rules = new HostedRules(next.hosted);
    const upkeep = this.upkeep.prepare(next);
    return () => {
      this.#rules.takeOver(rules);
      upkeep();
    };
  }

  async close(): Promise<void> {
    await this.sessions.close();
    await this.#store.close();
    await this.#catalog.close();
    await this.#sign.end();
  }
}
