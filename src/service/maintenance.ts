import type { Catalog } from '../catalog/catalog.ts';
import type { PinRecord } from '../catalog/pin-record.ts';
import type { Config } from '../config/config.ts';
import type { OperationsApi } from '../http/operations-api.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { pinImages, unpinImages, type PinReport } from '../registry/pin-images.ts';
import { pinnedDigests } from '../registry/pinned.ts';
import { purge, type PurgeReport } from '../registry/purge.ts';
import type { UpstreamNames } from '../registry/image-target.ts';
import { rebuildCatalog, type RebuildableCatalog } from '../registry/rebuild-catalog.ts';
import { verifyAll } from '../registry/verify-all.ts';
import type { VerifyOptions } from '../registry/verify.ts';
import type { DiskBlobStore } from '../store/disk-blob-store.ts';
import type { Layout } from '../store/layout.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createScrubObserver } from '../telemetry/repair-observers.ts';
import type { Care } from './care.ts';
import { imagesOf, purgeParameters } from './purge-parameters.ts';
import type { Scrubbing } from './scrubbing.ts';
import { tidy } from './tidy.ts';
import { verifyParameters } from './verify-parameters.ts';

export interface MaintenanceOptions {
  readonly config: Config;
  readonly layout: Layout;
  readonly store: DiskBlobStore;
  readonly catalog: Catalog & RebuildableCatalog;
  readonly care: Care;
  /** Lets go of what is held in memory. */
  readonly forget: (digest: Digest) => void;
  /** How the names that users write are to be understood. */
  readonly names: () => UpstreamNames;
  readonly pins: PinRecord;
  readonly scrubbing: Scrubbing;
  /** What was pushed, to be verified as well. */
  readonly hosted: () => VerifyOptions;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** What keeps a running service's store right: the scrub, and what operators ask for. */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #pinned = (): ReturnType<typeof pinnedDigests> => {
    const { pins, catalog, store } = this.#options;
    return pinnedDigests(pins, catalog, store);
  };
  #isVerifying = false;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  /** What the operations API does. */
  get does(): OperationsApi['does'] {
    return {
      verify: (parameters, signal) => this.#verify(parameters, signal),
      purge: async (parameters) => this.#purge(parameters),
      pin: async (parameters) => this.#pin(parameters, pinImages),
      unpin: async (parameters) => this.#pin(parameters, unpinImages),
      'catalog/rebuild': (_parameters, signal) => this.#rebuild(signal),
    };
  }

  /** Does what is to be done behind the service; settles when the signal says stop. */
  async run(signal: AbortSignal): Promise<void> {
    const { layout, store, care, scrubbing, metrics, logger } = this.#options;
    const { withdraw } = care;
    const observer = createScrubObserver(metrics, logger);
    await Promise.all([
      scrubbing.run({ layout, store, withdraw, first: this.#pinned, observer }, signal),
      tidy(layout, logger, signal),
    ]);
  }

  #purge(given: object): Promise<PurgeReport> {
    const { store, catalog, forget, names, pins } = this.#options;
    const options = {
      catalog,
      read: (digest: Digest, limit: number) => store.read(digest, limit),
      sizeOf: (digest: Digest) => store.stat(digest),
      remove: (digest: Digest) => store.delete(digest),
      forget,
      names,
      pins,
    };
    return purge(options, purgeParameters(given));
  }

  async #pin(given: object, change: typeof pinImages): Promise<PinReport> {
    const { pins, names, store } = this.#options;
    const report = await change(pins, imagesOf(given), names());
    store.evictor.reconsider();
    return report;
  }

  async *#rebuild(signal: AbortSignal): AsyncGenerator {
    const { config, catalog } = this.#options;
    if (config.catalog.redis === undefined) {
      throw new RegistryError('UNSUPPORTED', 'no Redis is configured: there is nothing to rebuild');
    }
    yield* rebuildCatalog(catalog, signal);
  }

  async *#verify(given: object, signal: AbortSignal): AsyncGenerator {
    const parameters = verifyParameters(given);
    if (this.#isVerifying) {
      throw new RegistryError('UNAVAILABLE', 'a verification is running already');
    }
    this.#isVerifying = true;
    try {
      const { layout, catalog, care } = this.#options;
      const { quarantine, withdraw } = care;
      const cached = { layout, catalog, quarantine, withdraw, first: this.#pinned };
      yield* verifyAll({ cached, hosted: this.#options.hosted() }, parameters, signal);
    } finally {
      this.#isVerifying = false;
    }
  }
}
