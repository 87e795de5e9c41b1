/** Counts by name, and marks of the highest values, in the order in which they were first seen. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  /** Keeps the highest value of a name. */
  peak(name: string, value: number): void {
    this.#counts.set(name, Math.max(this.#counts.get(name) ?? 0, value));
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Takes over another one's counts; those whose name begins with `peak` as marks. */
  merge(other: Tally): void {
    for (const [name, count] of other.#counts) {
      if (name.startsWith('peak')) this.peak(name, count);
      else this.add(name, count);
    }
  }

  /** One line a name, in order of name. */
  toString(): string {
    return [...this.#counts]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => `  ${name.padEnd(44)} ${count.toLocaleString('en').padStart(16)}`)
      .join('\n');
  }
}
