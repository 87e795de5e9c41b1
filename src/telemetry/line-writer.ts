import type { Writable } from 'node:stream';

export interface LineWriterOptions {
  /** Bytes gathered before they are written. */
  readonly chunk?: number;
  /** Bytes kept while the stream takes none; lines beyond are dropped. */
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
 *
 * Lines are gathered as bytes: as strings they would be ropes of many small pieces, which live
 * long enough to fill the old heap and cost more to collect than they cost to write.
 */
export class LineWriter {
  readonly #stream: Writable;
  readonly #chunk: number;
  readonly #capacity: number;
  readonly #interval: number;
  readonly #droppedLine: (count: number) => string;
  #gathered: Buffer;
  #length = 0;
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
    this.#gathered = Buffer.allocUnsafeSlow(this.#chunk);
    stream.on('drain', () => {
      this.#blocked = false;
      this.flush();
    });
    // A reader that went away (EPIPE) is no reason to stop serving images.
    stream.on('error', () => {
      this.#broken = true;
      this.#length = 0;
    });
  }

  /** Lines dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Gathers a line; it is written when there are enough, or soon. */
  write(line: string): void {
    if (!this.#add(line)) return;
    if (this.#length >= this.#chunk) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#interval).unref();
  }

  /** Writes a line, and those gathered before it, at once. */
  writeNow(line: string): void {
    if (this.#add(line)) this.flush();
  }

  #add(line: string): boolean {
    if (this.#broken || !this.#append(line, this.#capacity)) {
      this.#dropped += 1;
      this.#unreported += 1;
      return false;
    }
    return true;
  }

  /** Takes a line's bytes in; false where more than `most` would be kept. */
  #append(line: string, most: number): boolean {
    // No character of UTF-16 takes more than three bytes of UTF-8.
    const room = line.length * 3 + 1;
    if (this.#length + room > most && this.#length + Buffer.byteLength(line) >= most) return false;
    if (this.#length + room > this.#gathered.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#length + room, 2 * this.#length));
      this.#gathered.copy(larger, 0, 0, this.#length);
      this.#gathered = larger;
    }
    this.#length += this.#gathered.write(line, this.#length);
    this.#gathered[this.#length++] = 0x0a;
    return true;
  }

  /** Hands what was gathered to the stream, unless that is still busy with the last piece. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#blocked || this.#broken) return;
    if (this.#unreported > 0) {
      this.#append(this.#droppedLine(this.#unreported), Infinity);
      this.#unreported = 0;
    }
    if (this.#length === 0) return;
    // The stream may keep what it is given.
    const piece = Buffer.from(this.#gathered.subarray(0, this.#length));
    this.#length = 0;
    // What a reader that stalled for a while made us keep is not kept for ever.
    if (this.#gathered.length > 2 * this.#chunk) {
      this.#gathered = Buffer.allocUnsafeSlow(this.#chunk);
    }
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
