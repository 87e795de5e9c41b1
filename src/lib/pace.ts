import { setTimeout as delay } from 'node:timers/promises';

/** The most that is made up for after a pause, in milliseconds' worth of bytes. */
const burst = 250;

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
    const wait = this.#paidAt - now;
    if (wait < 1) return;
    try {
      await delay(wait, undefined, { signal, ref: false });
    } catch {
      signal.throwIfAborted();
    }
  }
}
