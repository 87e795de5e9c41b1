import type { Catalog } from '../catalog/catalog.ts';
import { Limit } from '../lib/limit.ts';
import { Pace } from '../lib/pace.ts';
import { SingleFlight } from '../lib/single-flight.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isRegistryError } from '../oci/errors.ts';
import type { Download } from '../registry/download.ts';
import type { BlobFiller } from '../registry/fill-blob.ts';
import type { ProxiedRoute } from '../registry/resolve-route.ts';
import type { BlobStore } from '../store/blob-store.ts';
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

/** Blobs and their bytes. */
export interface Amount {
  readonly blobs: number;
  readonly bytes: number;
}

/** The blobs of one run: each is counted once, and fetched once, whatever images have it. */
export class BlobFetches {
  readonly #options: BlobFetchesOptions;
  readonly #limit: Limit;
  readonly #pace: Pace;
  readonly #flights = new SingleFlight<Amount>();
  /** All that images of this run consist of, by whether it was there when it was first looked for. */
  readonly #known = new Map<Digest, { readonly size: number; readonly wasThere: boolean }>();
  /** What is being waited for, with the bytes that had come before. */
  readonly #followed = new Map<Download, number>();
  /** Of these the bytes are counted already. */
  readonly #counted = new WeakSet<Download>();
  /** Blobs of which is known how much of them had to come. */
  readonly #settled = new Set<Digest>();
  #total = 0;
  #fetched: Amount = nothing;

  constructor(options: BlobFetchesOptions) {
    this.#options = options;
    this.#limit = new Limit(options.jobs);
    this.#pace = new Pace(options.bandwidth);
  }

  /** Bytes that had to come, and those that have. */
  get progress(): { readonly bytes: number; readonly total: number } {
    let bytes = this.#fetched.bytes;
    let total = this.#total;
    for (const [download, before] of this.#followed) {
      bytes += download.received - before;
      total -= Math.min(download.found + before, total);
    }
    return { bytes, total: Math.max(bytes, total) };
  }

  /** What came from upstreams for this run. */
  get fetched(): Amount {
    return this.#fetched;
  }

  /** What was there when it was first looked for. */
  get present(): Amount {
    return this.#sum(true);
  }

  /** What was not. */
  get missing(): Amount {
    return this.#sum(false);
  }

  /** All that the run's images consist of. */
  get all(): Amount {
    const { present, missing } = this;
    return { blobs: present.blobs + missing.blobs, bytes: present.bytes + missing.bytes };
  }

  /**
   * Looks which of an image's blobs are there and belong to its repository.
   * @returns those that have to be fetched or asked for; and of those that are not stored, how much no
   *   image before has asked for
   */
  async look(
    route: ProxiedRoute,
    blobs: Iterable<Descriptor>,
  ): Promise<{ wanted: Descriptor[]; stored: Amount; news: Amount }> {
    const { catalog, store } = this.#options;
    const wanted: Descriptor[] = [];
    let stored = nothing;
    let news = nothing;
    for (const blob of blobs) {
      const { digest } = blob;
      const size = await store.stat(digest);
      const isStored = size === blob.size;
      const member = isStored ? await catalog.linked(route.key, 'blobs', digest) : undefined;
      if (isStored) {
        stored = plus(stored, blob.size);
        store.used(digest);
      }
      if (member === undefined || member.claimed === true) wanted.push(blob);
      if (this.#known.has(digest)) continue;
      this.#known.set(digest, { size: blob.size, wasThere: isStored });
      if (isStored) continue;
      news = plus(news, blob.size);
      this.#total += blob.size;
    }
    return { wanted, stored, news };
  }

  /**
   * Has a blob stored.
   * @returns what came from the upstream for it, and was not counted before
   * @throws RegistryError as {@link BlobFiller.fill}
   */
  async fetch(route: ProxiedRoute, blob: Descriptor): Promise<Amount> {
    let isFirst = false;
    const amount = await this.#flights.run(`${route.key} ${blob.digest}`, () => {
      isFirst = true;
      return this.#limit.run(() => this.#fill(route, blob));
    });
    return isFirst ? amount : nothing;
  }

  async #fill(route: ProxiedRoute, blob: Descriptor): Promise<Amount> {
    const { filler, patience, signal } = this.#options;
    const mine: Download[] = [];
    const options = {
      pace: this.#pace,
      follows: (download: Download, isOurs: boolean) => {
        if (this.#counted.has(download)) return;
        if (this.#followed.has(download) && !isOurs) return;
        this.#followed.set(download, isOurs ? 0 : download.received);
        mine.push(download);
      },
    };
    let isStored = false;
    let bytes = 0;
    let isCounted = true;
    try {
      await patience.ask(route.remote.upstream, () =>
        filler.fill(route, blob.digest, options, signal),
      );
      isStored = true;
    } catch (error) {
      // Layers that are not for everybody to distribute have their own address, and are often not
      // in the registry (image-spec, "Non-Distributable Layers").
      const isElsewhere = Array.isArray(blob['urls']) && blob['urls'].length > 0;
      if (!isElsewhere || !isRegistryError(error, 'BLOB_UNKNOWN')) throw error;
    } finally {
      // Another repository of the run may have waited for the same.
      isCounted = !mine.some((download) => this.#followed.has(download));
      bytes = mine.reduce((sum, download) => sum + this.#count(download), 0);
      this.#settle(blob, bytes);
    }
    const blobs = isStored && !isCounted ? 1 : 0;
    this.#fetched = { ...this.#fetched, blobs: this.#fetched.blobs + blobs };
    return { blobs, bytes };
  }

  /** Takes a download off the list; gives the bytes that came of it. */
  #count(download: Download): number {
    const before = this.#followed.get(download);
    if (before === undefined) return 0;
    const bytes = download.received - before;
    this.#followed.delete(download);
    this.#counted.add(download);
    this.#fetched = { ...this.#fetched, bytes: this.#fetched.bytes + bytes };
    return bytes;
  }

  /** What an earlier process had left of it, or somebody else has fetched, does not have to come any more. */
  #settle({ digest, size }: Descriptor, bytes: number): void {
    if (this.#settled.has(digest) || this.#known.get(digest)?.wasThere !== false) return;
    this.#settled.add(digest);
    this.#total += bytes - size;
  }

  #sum(wasThere: boolean): Amount {
    let sum = nothing;
    for (const known of this.#known.values()) {
      if (known.wasThere === wasThere) sum = plus(sum, known.size);
    }
    return sum;
  }
}

const nothing: Amount = { blobs: 0, bytes: 0 };

function plus({ blobs, bytes }: Amount, size: number): Amount {
  return { blobs: blobs + 1, bytes: bytes + size };
}
