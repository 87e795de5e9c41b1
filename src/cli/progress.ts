import type { CommandContext } from './context.ts';

/** One line on a person's terminal that is written over and over; nothing anywhere else. */
export class Progress {
  readonly #context: CommandContext;
  #isShown = false;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  show(text: string): void {
    if (!this.#context.tty) return;
    this.#context.stderr(`\r\u001b[K${text}`);
    this.#isShown = true;
  }

  /** Takes it away, before something else is printed. */
  clear(): void {
    if (!this.#isShown) return;
    this.#context.stderr('\r\u001b[K');
    this.#isShown = false;
  }
}
