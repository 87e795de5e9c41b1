/** How slow a body may be. */
export interface PaceLimits {
  /** Bytes a second; 0 for any. */
  readonly minRate: number;
  /** Milliseconds over which it is averaged. */
  readonly over: number;
}

/**
 * Judges how fast a body flows, one stretch of time after the other. A stretch in which its reader
 * made it wait says nothing about the sender. Pure: told of the end of each stretch by a timer.
 */
export class Pace {
  readonly #least: number;
  #bytes = 0;
  #isWaiting = true;
  /** At some time in this stretch. */
  #hasWaited = true;

  constructor({ minRate, over }: PaceLimits) {
    this.#least = (minRate * over) / 1000;
  }

  received(bytes: number): void {
    this.#bytes += bytes;
  }

  /** The reader takes no more for now; at first it has not begun. */
  waits(): void {
    this.#isWaiting = true;
    this.#hasWaited = true;
  }

  flows(): void {
    this.#isWaiting = false;
  }

  /** A stretch is over. True where too little came in it. */
  isTooSlow(): boolean {
    const isTooSlow = !this.#hasWaited && this.#bytes < this.#least;
    this.#bytes = 0;
    this.#hasWaited = this.#isWaiting;
    return isTooSlow;
  }
}
