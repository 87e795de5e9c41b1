import type { Config } from '../config/config.ts';
import { Pace } from '../lib/pace.ts';
import type { Digest } from '../oci/digest.ts';
import type { DiskBlobStore } from '../store/disk-blob-store.ts';
import type { Layout } from '../store/layout.ts';
import { Scrub, type ScrubObserver } from '../store/scrub.ts';
import type { Withdraw } from '../store/withdraw.ts';

/** A store that is read again and again. */
export interface Scrubbed {
  readonly layout: Layout;
  readonly store: DiskBlobStore;
  readonly withdraw: Withdraw;
  /** What is to be read before all else; nothing where it is absent. */
  readonly first?: () => Promise<ReadonlySet<Digest>>;
  readonly observer: ScrubObserver;
}

/** Reads what is stored again and again, where that is wanted: all of it together no faster than the rate. */
export class Scrubbing {
  readonly #interval: number;
  readonly #pace: Pace;

  constructor({ storage }: Config) {
    const { interval, rate } = storage.scrub;
    this.#interval = interval;
    this.#pace = new Pace(rate);
  }

  /** Settles when the signal says stop; never rejects. */
  async run(
    { layout, store, withdraw, first = nothing, observer }: Scrubbed,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#interval === 0) return;
    const { usage } = store;
    const options = {
      layout,
      interval: this.#interval,
      pace: this.#pace,
      usage,
      withdraw,
      first,
      observer,
    };
    await new Scrub(options).run(signal);
  }
}

function nothing(): Promise<ReadonlySet<Digest>> {
  return Promise.resolve(new Set());
}
