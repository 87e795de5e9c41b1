/** Lets so much work be under way at the same time; the rest waits, in the order of arrival. */
export class Limit {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param width pieces of work at the same time; at least 1 */
  constructor(width: number) {
    this.#free = width;
  }

  /**
   * Runs work when there is a place for it.
   * @param signal what has not begun by then does not begin any more, and rejects with its reason
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      signal?.throwIfAborted();
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The place goes from hand to hand.
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
