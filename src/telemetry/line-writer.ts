import type { Writable } from 'node:stream';

export interface LineWriterOptions {
  /** Characters gathered before they are written. */
  readonly chunk?: number;
  /** Characters kept while the stream takes none; lines beyond are dropped. */
  readonly capacity?: number;
  /** Milliseconds that a gathered line waits at most. */
  readonly interval?: number;
  /** The line that tells how many were dropped. */
  readonly dropped: (count: number) => string;
}

/**
 * Writes lines to a stream in large pieces. Nobody may be reading the other end (a stopped
 * container runtime, a full disk behind a pipe): then memory stays bounded, lines are dropped and
 * counted, and nothing waits.
 */
export class LineWriter {
  readonly #stream: Writable;
  readonly #chunk: number;
  readonly #capacity: number;
  readonly #interval: number;
  readonly #droppedLine: (count: number) => string;
  #pending = '';
  #timer: NodeJS.Timeout | undefined;
  #blocked = false;
  #broken = false;
  #unreported = 0;
  #dropped = 0;

  constructor(stream: Writable, options: LineWriterOptions) {
    this.#stream = stream;
    this.#chunk = options.chunk ?? 64 * 1024;
    this.#capacity = options.capacity ?? 1024 * 1024;
    this.#interval = options.interval ?? 100;
    this.#droppedLine = options.dropped;
    stream.on('drain', () => {
      this.#blocked = false;
      this.flush();
    });
    // A reader that went away (EPIPE) is no reason to stop serving images.
    stream.on('error', () => {
      this.#broken = true;
      this.#pending = '';
    });
  }

  /** Lines dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Gathers a line; it is written when there are enough, or soon. */
  write(line: string): void {
    if (!this.#add(line)) return;
    if (this.#pending.length >= this.#chunk) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#interval).unref();
  }

  /** Writes a line, and those gathered before it, at once. */
  writeNow(line: string): void {
    if (this.#add(line)) this.flush();
  }

  #add(line: string): boolean {
    if (this.#broken || this.#pending.length + line.length > this.#capacity) {
      this.#dropped += 1;
      this.#unreported += 1;
      return false;
    }
    this.#pending += `${line}\n`;
    return true;
  }

  /** Hands what was gathered to the stream, unless that is still busy with the last piece. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#blocked || this.#broken) return;
    if (this.#unreported > 0) {
      this.#pending += `${this.#droppedLine(this.#unreported)}\n`;
      this.#unreported = 0;
    }
    if (this.#pending === '') return;
    const piece = this.#pending;
    this.#pending = '';
    this.#blocked = !this.#stream.write(piece);
  }

  /**
   * Writes what is left and waits until the stream has taken it, but no longer than `deadline`
   * milliseconds. The stream stays open: it is the process's.
   */
  async close(deadline = 1000): Promise<void> {
    this.flush();
    const end = Date.now() + deadline;
    while (!this.#broken && this.#stream.writableLength > 0 && Date.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      this.flush();
    }
  }
}
