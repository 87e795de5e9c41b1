import type { Catalog } from '../catalog/catalog.ts';
import { Limit } from '../lib/limit.ts';
import { Pace } from '../lib/pace.ts';
import { SingleFlight } from '../lib/single-flight.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isRegistryError } from '../oci/errors.ts';
import type { Download } from '../registry/download.ts';
import type { BlobFiller } from '../registry/fill-blob.ts';
import type { ProxiedRoute } from '../registry/resolve-route.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { FetchLedger, nothing, plus, type Amount } from './fetch-ledger.ts';
import type { Patience } from './patience.ts';

export interface BlobFetchesOptions {
  readonly catalog: Catalog;
  readonly store: Pick<BlobStore, 'stat' | 'used'>;
  readonly filler: BlobFiller;
  readonly patience: Patience;
  /** Blobs at the same time. */
  readonly jobs: number;
  /** Bytes a second, over all of them; Infinity for no limit. */
  readonly bandwidth: number;
  readonly signal: AbortSignal;
}

/** What is there of an image's blobs. */
export interface Found {
  /** Those that are in the store. */
  readonly stored: Amount;
  /** Those that are not. */
  readonly missing: readonly Descriptor[];
  /** Those that are there, and of which the upstream has not said yet that they belong here. */
  readonly unconfirmed: readonly Descriptor[];
  /** Of those that are not there, what no image before has. */
  readonly news: Amount;
}

/** Fetches the blobs of one run, each of them once. */
export class BlobFetches {
  readonly ledger = new FetchLedger();
  readonly #options: BlobFetchesOptions;
  readonly #limit: Limit;
  /** Undefined without a limit: what somebody else holds back is not held back for this run then. */
  readonly #pace: Pace | undefined;
  readonly #flights = new SingleFlight<Amount>();

  constructor(options: BlobFetchesOptions) {
    this.#options = options;
    this.#limit = new Limit(options.jobs);
    this.#pace = options.bandwidth === Infinity ? undefined : new Pace(options.bandwidth);
  }

  /** Looks which of an image's blobs are there and belong to its repository. */
  async look(route: ProxiedRoute, blobs: Iterable<Descriptor>): Promise<Found> {
    const { catalog, store } = this.#options;
    const missing: Descriptor[] = [];
    const unconfirmed: Descriptor[] = [];
    let stored = nothing;
    let news = nothing;
    for (const blob of blobs) {
      const { digest, size } = blob;
      const isStored = (await store.stat(digest)) === size;
      const isNew = this.ledger.looked(blob, isStored);
      if (!isStored) {
        missing.push(blob);
        if (isNew) news = plus(news, size);
        continue;
      }
      stored = plus(stored, size);
      store.used(digest);
      const member = await catalog.linked(route.key, 'blobs', digest);
      if (member === undefined || member.claimed === true) unconfirmed.push(blob);
    }
    return { stored, missing, unconfirmed, news };
  }

  /**
   * Has a blob stored, and permitted in its repository.
   * @returns what came from the upstream for it, and was not counted before
   * @throws RegistryError as {@link BlobFiller.fill}
   */
  async fetch(route: ProxiedRoute, blob: Descriptor): Promise<Amount> {
    let isFirst = false;
    const amount = await this.#flights.run(`${route.key} ${blob.digest}`, () => {
      isFirst = true;
      return this.#fill(route, blob);
    });
    return isFirst ? amount : nothing;
  }

  async #fill(route: ProxiedRoute, blob: Descriptor): Promise<Amount> {
    const { filler, patience, signal } = this.#options;
    const mine: Download[] = [];
    const options = {
      pace: this.#pace,
      follows: (download: Download, isOurs: boolean) => {
        if (this.ledger.follows(download, isOurs)) mine.push(download);
      },
    };
    try {
      // Who waits for the next attempt leaves the place to others.
      await patience.ask(route.remote.upstream, () =>
        this.#limit.run(() => filler.fill(route, blob.digest, options, signal), signal),
      );
    } catch (error) {
      const amount = this.ledger.ended(blob, mine, false);
      if (isElsewhere(blob) && isRegistryError(error, 'BLOB_UNKNOWN')) return amount;
      throw error;
    }
    return this.ledger.ended(blob, mine, true);
  }
}

/**
 * Layers that are not for everybody to distribute have their own address, and are often not in the
 * registry (image-spec, "Non-Distributable Layers").
 */
function isElsewhere({ urls }: Descriptor): boolean {
  return Array.isArray(urls) && urls.length > 0;
}
