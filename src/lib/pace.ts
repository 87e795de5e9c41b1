import { setTimeout as delay } from 'node:timers/promises';

/** The most that is made up for after a pause, in milliseconds' worth of bytes. */
const burst = 250;

/** Node.js takes a longer one for none at all; in milliseconds. */
const longestTimer = 2 ** 31 - 1;

/** Lets bytes through at no more than a rate. */
export class Pace {
  readonly #rate: number;
  /** When all bytes so far are paid for, on `performance.now()`'s clock. */
  #paidAt = 0;

  /** @param rate bytes a second; Infinity for no limit */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /** Settles when these bytes may follow those before; rejects with the signal's reason. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#rate === Infinity) return;
    const now = performance.now();
    this.#paidAt = Math.max(this.#paidAt, now - burst) + (bytes / this.#rate) * 1000;
    const until = this.#paidAt;
    for (let wait = until - now; wait >= 1; wait = until - performance.now()) {
      try {
        await delay(Math.min(wait, longestTimer), undefined, { signal, ref: false });
      } catch {
        signal.throwIfAborted();
      }
    }
  }
}
