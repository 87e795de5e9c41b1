import { setTimeout as delay } from 'node:timers/promises';
import { RecentBytes } from './recent-bytes.ts';

/** Bytes of memory for all that passes through at a time. */
const budget = 64 * 1024 * 1024;

/**
 * Bounds in bytes of what one transfer gets of it. A reader that keeps up still holds more than a
 * megabyte: the batch that comes is shown to it only when it was taken, and behind it whole blocks
 * are kept.
 */
const widest = 8 * 1024 * 1024;
const narrowest = 2 * 1024 * 1024;

/**
 * Bytes between the newest and the slowest reader; beyond them a transfer waits.
 * @param transfers how many pass through at the time
 */
export function windowFor(transfers: number): number {
  return Math.max(narrowest, Math.min(widest, Math.floor(budget / Math.max(1, transfers))));
}

/** Milliseconds that the transfer waits for a reader that takes nothing, before it is left behind. */
const usualPatience = 30_000;

/**
 * The part of a blob that no disk holds: it passes through memory, at the pace of its readers. One
 * that stops reading is left behind in the end, and finds its bytes gone.
 */
export class PassThrough {
  /** Position of the first byte that is not on the disk. */
  readonly begin: number;
  readonly #recent: RecentBytes;
  readonly #window: () => number;
  readonly #patience: number;
  /** Position before which no reader needs anything. */
  #needed = 0;
  #wake: () => void = nothing;

  /**
   * @param begin position of the first byte that will come
   * @param window the most bytes to hold, now: see {@link windowFor}
   * @param patience milliseconds for a reader that takes nothing
   */
  constructor(begin: number, window: () => number, patience = usualPatience) {
    this.begin = begin;
    this.#window = window;
    this.#patience = patience;
    this.#recent = new RecentBytes(begin);
  }

  /** Whether every byte that ever came can still be read. */
  get isWhole(): boolean {
    return this.#recent.start === this.begin;
  }

  /** Takes bytes; settles when there is room for more. */
  async push(chunks: readonly Buffer[], signal: AbortSignal): Promise<void> {
    for (const chunk of chunks) this.#recent.push(chunk);
    // All readers may wait for what is further ahead.
    this.#recent.forget(this.#needed);
    while (this.#recent.size > this.#window() && !signal.aborted) {
      const needed = this.#needed;
      const moved = new Promise<void>((resolve) => (this.#wake = resolve));
      const timer = new AbortController();
      const until = AbortSignal.any([signal, timer.signal]);
      await Promise.race([
        moved,
        delay(this.#patience, undefined, { signal: until }).catch(nothing),
      ]);
      timer.abort();
      // Whoever still reads what is on the disk goes on as well, and gives nothing free here.
      if (this.#needed !== needed) continue;
      const { start, size } = this.#recent;
      this.#recent.forget(start + size - this.#window() / 2);
    }
  }

  /** See {@link RecentBytes.read}. */
  read(buffer: Buffer, length: number, position: number): number {
    return this.#recent.read(buffer, length, position);
  }

  /** Whether a reader at this position was left behind: what it needs next, or will need, is gone. */
  isGone(position: number): boolean {
    return !this.isWhole && position < this.#recent.start;
  }

  /** No reader needs what lies before `position`. */
  forget(position: number): void {
    const { start } = this.#recent;
    this.#needed = position;
    this.#recent.forget(position);
    if (this.#recent.start > start) this.#wake();
  }
}

function nothing(): void {
  // Nobody waits, and a wait that was cut short is over.
}
