/** What a person's terminal has room for, in characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Where the size is not told: what terminals had in 1978, and still open with. */
export const usualTerminal: TerminalSize = { columns: 80, rows: 24 };

/**
 * Lines at the bottom of a terminal that are written over and over, below lines that stay. Each change
 * is one write of text over text, without clearing anything first: so nothing flickers.
 */
export class LiveLines {
  readonly #write: (text: string) => void;
  readonly #size: () => TerminalSize;
  #shown: readonly string[] = [];

  constructor(write: (text: string) => void, size: () => TerminalSize) {
    this.#write = write;
    this.#size = size;
  }

  /** Puts these lines in the place of those that are shown; what does not fit is cut off. */
  show(lines: readonly string[]): void {
    const fitted = this.#fit(lines);
    if (
      fitted.length === this.#shown.length &&
      fitted.every((line, n) => line === this.#shown[n])
    ) {
      return;
    }
    this.#draw('', fitted);
  }

  /** Prints lines that stay, above those that change. */
  print(text: string): void {
    const lines = text.endsWith('\n') ? text.slice(0, -1).split('\n') : text.split('\n');
    this.#draw(lines.map((line) => `${line}${clearRest}\n`).join(''), this.#shown);
  }

  /** Takes the changing lines away. */
  clear(): void {
    if (this.#shown.length > 0) this.#draw('', []);
  }

  #draw(above: string, lines: readonly string[]): void {
    const up = this.#shown.length > 1 ? `\u001b[${this.#shown.length - 1}A` : '';
    const below = lines.map((line) => `${line}${clearRest}`).join('\n');
    this.#write(`\r${up}${above}${below}${clearBelow}`);
    this.#shown = lines;
  }

  #fit(lines: readonly string[]): string[] {
    const { columns, rows } = this.#size();
    // One row is for what stays; and in the last column some terminals wrap. The last line sums up.
    const kept = lines.slice(-Math.max(1, rows - 1));
    return kept.map((line) => line.slice(0, Math.max(1, columns - 1)));
  }
}

const clearRest = '\u001b[K';
const clearBelow = '\u001b[J';
