/*
 * Memory for sending, under one budget.
 *
 * Whoever keeps up asks for large buffers, and gets them while the budget lasts; every other works
 * with small ones. So a few fast clients run at full speed, and a thousand slow ones cost a
 * thousand small buffers at most. Last in, first out: the buffer used last is still in a CPU's
 * cache.
 */

/** Bytes of a buffer for a client that keeps up: the best of 64 KiB to 1 MiB when measured. */
export const largeBuffer = 512 * 1024;

/** Bytes of a buffer for every other. */
export const smallBuffer = 64 * 1024;

/** Small buffers that are kept for reuse; beyond them they are left to the collector. */
const keptSmall = 256;

export class BufferPool {
  readonly #budget: number;
  readonly #large: Buffer[] = [];
  readonly #small: Buffer[] = [];
  #largeBytes = 0;

  /** @param budget bytes of large buffers, in use and kept together */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** A large buffer, or undefined where the budget is spent. Give it back. */
  takeLarge(): Buffer | undefined {
    const kept = this.#large.pop();
    if (kept !== undefined || this.#largeBytes + largeBuffer > this.#budget) return kept;
    this.#largeBytes += largeBuffer;
    return Buffer.allocUnsafeSlow(largeBuffer);
  }

  /** A small buffer. Give it back. */
  takeSmall(): Buffer {
    return this.#small.pop() ?? Buffer.allocUnsafeSlow(smallBuffer);
  }

  /** Takes a buffer back. Nothing may read or write it any more. */
  give(buffer: Buffer): void {
    if (buffer.length === largeBuffer) this.#large.push(buffer);
    else if (this.#small.length < keptSmall) this.#small.push(buffer);
  }
}
