/*
 * Memory for sending, under one budget.
 *
 * A response whose client keeps up asks for large buffers, and gets them while the budget lasts;
 * every other works with a small one. So a few fast clients run at full speed, and a thousand slow
 * ones cost a thousand small buffers at most.
 */

/** Bytes of a buffer for a client that keeps up: the best of 64 KiB to 1 MiB when measured. */
export const largeBuffer = 512 * 1024;

/** Bytes of a buffer for a client that does not. */
export const smallBuffer = 64 * 1024;

/** Small buffers that are kept for reuse; beyond them they are left to the collector. */
const keptSmall = 256;

/** Bytes of shared memory that waiting sockets may hold; counted for each, though many share one. */
const maxPinned = 64 * 1024 * 1024;

export class BufferPool {
  readonly #budget: number;
  readonly #large: Buffer[] = [];
  readonly #small: Buffer[] = [];
  #largeBytes = 0;
  #pinned = 0;

  /** @param budget bytes of large buffers, in use and kept together */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** A large buffer where one is wanted and the budget has one, else a small one. Give it back. */
  take(wantsLarge: boolean): Buffer {
    if (wantsLarge) {
      const kept = this.#large.pop();
      if (kept !== undefined) return kept;
      if (this.#largeBytes + largeBuffer <= this.#budget) {
        this.#largeBytes += largeBuffer;
        return Buffer.allocUnsafeSlow(largeBuffer);
      }
    }
    return this.#small.pop() ?? Buffer.allocUnsafeSlow(smallBuffer);
  }

  /**
   * Whether memory that others share may be handed to the kernel: not while stalled clients hold
   * much of it back from being freed.
   */
  get mayPin(): boolean {
    return this.#pinned < maxPinned;
  }

  /** Notes that a socket holds (or, negative, no longer holds) bytes of shared memory. */
  pin(bytes: number): void {
    this.#pinned += bytes;
  }

  /** Takes a buffer back. Nothing may read or write it any more. */
  give(buffer: Buffer): void {
    if (buffer.length === largeBuffer) this.#large.push(buffer);
    else if (this.#small.length < keptSmall) this.#small.push(buffer);
  }
}
