import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Download } from '../registry/download.ts';

/** Blobs and their bytes. */
export interface Amount {
  readonly blobs: number;
  readonly bytes: number;
}

export const nothing: Amount = { blobs: 0, bytes: 0 };

export function plus({ blobs, bytes }: Amount, size: number): Amount {
  return { blobs: blobs + 1, bytes: bytes + size };
}

/** Keeps account of the blobs of one run, each of which counts once, whatever images have it. */
export class FetchLedger {
  /** All that images of this run consist of, by whether it was there when it was first looked for. */
  readonly #known = new Map<Digest, { readonly size: number; readonly wasThere: boolean }>();
  /** What is being waited for, with the bytes that had come before. */
  readonly #followed = new Map<Download, number>();
  /** Of these the bytes are counted already. */
  readonly #counted = new WeakSet<Download>();
  /** What brings a blob, or that all of it is there. */
  readonly #states = new Map<Digest, Download | 'stored'>();
  /** Blobs of which is known how much of them had to come. */
  readonly #settled = new Set<Digest>();
  #total = 0;
  #fetched: Amount = nothing;

  /** Bytes that had to come, and those that have. */
  get progress(): { readonly bytes: number; readonly total: number } {
    let { bytes } = this.#fetched;
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

  /** Bytes of a blob that are there by now. */
  cameOf({ digest, size }: Descriptor): number {
    const state = this.#states.get(digest);
    if (state === undefined) return 0;
    return state === 'stored' ? size : Math.min(size, state.found + state.received);
  }

  /** An image has this blob; gives whether none before it had. */
  looked({ digest, size }: Descriptor, wasThere: boolean): boolean {
    if (this.#known.has(digest)) return false;
    this.#known.set(digest, { size, wasThere });
    if (!wasThere) this.#total += size;
    return true;
  }

  /**
   * A download is waited for.
   * @param isOurs whether it was started for this run: then all of its bytes are the run's
   * @returns whether to count it at the end
   */
  follows(download: Download, isOurs: boolean): boolean {
    this.#states.set(download.digest, download);
    if (this.#counted.has(download)) return false;
    if (this.#followed.has(download) && !isOurs) return false;
    this.#followed.set(download, isOurs ? 0 : download.received);
    return true;
  }

  /**
   * A blob is there, or given up.
   * @param downloads that were waited for
   * @returns what came of them and was not counted before
   */
  ended(blob: Descriptor, downloads: readonly Download[], isStored: boolean): Amount {
    const mine = downloads.filter((download) => this.#followed.has(download));
    const bytes = mine.reduce((sum, download) => sum + this.#count(download), 0);
    const blobs = isStored && mine.length > 0 ? 1 : 0;
    this.#fetched = { blobs: this.#fetched.blobs + blobs, bytes: this.#fetched.bytes + bytes };
    if (isStored) this.#states.set(blob.digest, 'stored');
    this.#settle(blob, bytes);
    return { blobs, bytes };
  }

  #count(download: Download): number {
    const bytes = download.received - (this.#followed.get(download) ?? 0);
    this.#followed.delete(download);
    this.#counted.add(download);
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
