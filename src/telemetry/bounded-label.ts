/**
 * Keeps a label's values few, whatever a foreign party makes of them: the first ones are shown as
 * they are, all later ones as `other`. (Each value of a label is a time series for ever.)
 */
export class BoundedLabel {
  readonly #limit: number;
  readonly #seen: Set<string>;

  /** @param known values that are always shown, and count towards the limit */
  constructor(limit: number, known: readonly string[] = []) {
    this.#limit = limit;
    this.#seen = new Set(known);
  }

  of(value: string | undefined): string {
    if (value === undefined || value === '') return 'none';
    if (this.#seen.has(value)) return value;
    if (this.#seen.size >= this.#limit) return 'other';
    this.#seen.add(value);
    return value;
  }
}
