import type { ImageDone, WarmEvent, WarmProgress } from '../warm/warm-event.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { LiveLines, usualTerminal } from './live-lines.ts';
import { printable } from './printable.ts';
import { WarmStatus } from './warm-status.ts';
import {
  count,
  describeDone,
  describeFailure,
  describePlanned,
  describeSummary,
  describeWaiting,
} from './warm-words.ts';

export interface WarmPrinterOptions {
  /** The documents as they are, and nothing else, on standard output. */
  readonly json: boolean;
  readonly dryRun: boolean;
  /** How many images are shown at work. */
  readonly jobs: number;
}

/** Bytes from which on it may take long enough for somebody to wonder. */
const worthTelling = 256 * 1024 * 1024;

/** Prints what a run tells: on a person's terminal with lines that change, elsewhere line by line. */
export class WarmPrinter {
  readonly #context: CommandContext;
  readonly #options: WarmPrinterOptions;
  readonly #live: LiveLines | undefined;
  readonly #status: WarmStatus;
  readonly #results = new Map<string, number>();
  readonly #failures: ImageDone[] = [];
  #tenths = 0;

  constructor(context: CommandContext, options: WarmPrinterOptions) {
    this.#context = context;
    this.#options = options;
    this.#status = new WarmStatus(options.jobs);
    if (context.tty && context.env['TERM'] !== 'dumb' && !options.json) {
      this.#live = new LiveLines(context.stdout, this.#size);
    }
  }

  /**
   * Prints all of it.
   * @throws CommandFailure where an image failed; what the run throws
   */
  async all(events: AsyncIterable<WarmEvent>): Promise<void> {
    let isWhole = false;
    try {
      for await (const event of events) {
        this.#print(event);
        isWhole = event.kind === 'summary';
      }
    } finally {
      this.#live?.clear();
      this.#tellFailures();
    }
    if (!isWhole) throw new CommandFailure('warming was broken off');
    if (this.#failures.length > 0) throw new CommandFailure('');
  }

  /** Prints what else there is to say, so that no line that changes is written into it. */
  readonly say = (text: string): void => {
    this.#live?.clear();
    this.#context.stderr(text);
  };

  readonly #size = (): typeof usualTerminal => this.#context.terminalSize?.() ?? usualTerminal;

  /** Where there is no terminal, a line for each tenth: it shows whoever watches that something happens. */
  #tenth({ bytes, total }: WarmProgress): string | undefined {
    const tenth = total >= worthTelling ? Math.floor((bytes / total) * 10) : 0;
    if (tenth <= this.#tenths || tenth === 10) return undefined;
    this.#tenths = tenth;
    return `${''.padEnd(10)}${this.#status.total}`;
  }

  #print(event: WarmEvent): void {
    if (event.kind === 'image') this.#count(event);
    if (this.#options.json) {
      this.#context.stdout(`${JSON.stringify(event)}\n`);
      return;
    }
    const line = this.#lineOf(event);
    this.#status.note(event, performance.now());
    if (this.#live === undefined) {
      const plain = event.kind === 'progress' ? this.#tenth(event) : line;
      if (plain !== undefined) this.#context.stdout(`${plain}\n`);
      return;
    }
    if (event.kind === 'summary') this.#live.clear();
    // What is at work is among the lines that change.
    if (line !== undefined && event.kind !== 'planned') this.#live.print(line);
    if (event.kind !== 'summary') this.#live.show(this.#status.lines(this.#size().columns));
  }

  #lineOf(event: WarmEvent): string | undefined {
    switch (event.kind) {
      case 'planned':
        // Of what is there already, and of what is only looked at, one line is enough.
        if (this.#options.dryRun || event.blobs === event.present_blobs) return undefined;
        return describePlanned(event);
      case 'image':
        return describeDone(event);
      case 'waiting':
        return describeWaiting(event);
      case 'notice':
        return `note: ${printable(event.message)}`;
      case 'summary':
        return describeSummary(event, this.#results);
      default:
        return undefined;
    }
  }

  #count(done: ImageDone): void {
    this.#results.set(done.result, (this.#results.get(done.result) ?? 0) + 1);
    if (done.result === 'failed') this.#failures.push(done);
  }

  /** Also where the run was broken off: what failed before has failed. */
  #tellFailures(): void {
    if (this.#options.json || this.#failures.length === 0) return;
    const lines = this.#failures.map((failure) => `  ${describeFailure(failure)}\n`);
    const number = this.#failures.length;
    this.#context.stderr(`${count(number, 'image')} failed:\n${lines.join('')}`);
  }
}
