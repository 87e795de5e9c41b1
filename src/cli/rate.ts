/** Milliseconds over which a rate is taken: long enough to be calm, short enough to be true. */
const span = 8_000;

/** How fast bytes arrive, by what was counted lately. */
export class Rate {
  #samples: { readonly at: number; readonly bytes: number }[] = [];

  /**
   * @param bytes in all, up to now
   * @param now milliseconds of a clock that never goes back
   */
  note(bytes: number, now: number): void {
    this.#samples.push({ at: now, bytes });
    // The last one from before the span stays: it is where the span begins.
    while ((this.#samples[1]?.at ?? Infinity) <= now - span) this.#samples.shift();
  }

  /** Bytes a second; undefined as long as nothing can be said. */
  get perSecond(): number | undefined {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at - first.at < 500) return undefined;
    return Math.max(0, ((last.bytes - first.bytes) / (last.at - first.at)) * 1000);
  }
}
