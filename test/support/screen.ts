/** What a terminal shows of what was written to it: as much as Baleen's displays need of one. */
export class Screen {
  readonly #columns: number;
  #lines: string[] = [''];
  #row = 0;
  #column = 0;
  /** How often something was written. */
  writes = 0;

  constructor(columns = 80) {
    this.#columns = columns;
  }

  readonly write = (text: string): void => {
    this.writes += 1;
    // eslint-disable-next-line no-control-regex
    for (const [part, count, final] of text.matchAll(/\u001b\[(\d*)([A-Z])|[\s\S]/g)) {
      if (final !== undefined) this.#control(final, Number(count || 1));
      else this.#character(part);
    }
  };

  /** The lines that are shown, without what is blank at their ends. */
  get lines(): string[] {
    const trimmed = this.#lines.map((line) => line.trimEnd());
    return trimmed.slice(0, trimmed.findLastIndex((line) => line !== '') + 1);
  }

  #control(final: string, count: number): void {
    if (final === 'A') this.#row = Math.max(0, this.#row - count);
    else if (final === 'K') this.#lines[this.#row] = this.#left;
    else if (final === 'J') this.#lines = [...this.#lines.slice(0, this.#row), this.#left];
    else throw new Error(`this terminal knows no ${final}`);
  }

  #character(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') {
      this.#row += 1;
      this.#column = 0;
      this.#lines[this.#row] ??= '';
    } else {
      if (this.#column === this.#columns) this.#character('\n');
      const line = this.#lines[this.#row] ?? '';
      this.#lines[this.#row] = `${this.#left}${character}${line.slice(this.#column + 1)}`;
      this.#column += 1;
    }
  }

  get #left(): string {
    return (this.#lines[this.#row] ?? '').slice(0, this.#column).padEnd(this.#column);
  }
}
