/**
 * Lets a repeated message through once in a while. What fails a thousand times a second is one
 * piece of news and a number.
 */
export class Occasional {
  readonly #interval: number;
  readonly #now: () => number;
  readonly #last = new Map<string, { at: number; held: number }>();

  /**
   * @param interval milliseconds between two messages of a key
   * @param now a clock in milliseconds
   */
  constructor(interval: number, now: () => number = Date.now) {
    this.#interval = interval;
    this.#now = now;
  }

  /** How many were held back since the last one that got through; undefined where this one is held back too. */
  admit(key: string): number | undefined {
    const at = this.#now();
    const last = this.#last.get(key);
    if (last !== undefined && at - last.at < this.#interval) {
      last.held += 1;
      return undefined;
    }
    if (last === undefined && this.#last.size >= maxKeys) this.#last.clear();
    this.#last.set(key, { at, held: 0 });
    return last?.held ?? 0;
  }
}

const maxKeys = 1000;
