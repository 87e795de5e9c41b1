/** Runs work that shares a key one after the other, in the order of arrival. */
export class Serial {
  readonly #tails = new Map<string, Promise<void>>();

  /**
   * Waits for all earlier work on any of the keys, then runs. The place in every queue is taken at
   * once, so work on several keys cannot lock itself out.
   */
  async run<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const earlier = keys.flatMap((key) => this.#tails.get(key) ?? []);
    const { promise: tail, resolve: end } = Promise.withResolvers<void>();
    for (const key of keys) this.#tails.set(key, tail);
    try {
      await Promise.all(earlier);
      return await work();
    } finally {
      for (const key of keys) if (this.#tails.get(key) === tail) this.#tails.delete(key);
      end();
    }
  }
}
