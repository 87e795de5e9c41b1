/*
 * How well a client keeps up decides what it may hold.
 *
 *   new     nothing is known yet: one small buffer at a time
 *   swift   took some megabytes without a pause: two large buffers, one being read ahead
 *   slow    let a write wait: one small buffer, and no share in what others hold in memory
 */

/** Milliseconds for one write that make a client a slow one: with a large buffer, 2 MB/s. */
const slowWrite = 250;

/**
 * Bytes that a client has to take without a pause before it counts as swift: more than the kernel
 * takes at once into an empty socket buffer, which would look like speed.
 */
const probation = 4 * 1024 * 1024;

/** The grade of one response's client. */
export class ClientPace {
  #left = probation;
  #isSlow = false;

  get isSwift(): boolean {
    return this.#left === 0;
  }

  get isSlow(): boolean {
    return this.#isSlow;
  }

  /** Notes that the kernel took so many bytes within so many milliseconds. */
  wrote(bytes: number, milliseconds: number): void {
    if (milliseconds > slowWrite) {
      this.#isSlow = true;
      this.#left = probation;
    } else if (this.#left > 0) {
      this.#left = Math.max(0, this.#left - bytes);
      if (this.#left === 0) this.#isSlow = false;
    }
  }
}
