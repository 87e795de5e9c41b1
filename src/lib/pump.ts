import type { Readable } from 'node:stream';

/** Where pumped bytes go. */
export interface PumpSink {
  /** Takes note of bytes in the order in which they come; what it throws ends the pumping. */
  take(chunk: Buffer): void;
  /** Writes what was taken, in the same order. Never called twice at once. */
  write(chunks: readonly Buffer[]): Promise<void>;
}

/**
 * How a stream's bytes stopped coming: at its `end`, because it `broke` off, or because the signal
 * `stopped` it.
 */
export type PumpEnd = 'end' | 'broke' | 'stopped';

/**
 * Bytes gathered while others are being written: for one stream, and for all together, however many
 * there are. With those being written, twice as much is in memory at most, and a chunk for each.
 */
const mostGathered = 256 * 1024;
const mostGatheredByAll = 32 * 1024 * 1024;

/** Streams that are being pumped. */
let running = 0;

/**
 * Brings a stream's bytes to a sink: while some are written the next are gathered, so that neither
 * side waits for the other, and no faster than the sink can write.
 *
 * Settles when everything that was taken is written; the stream, where bytes are left in it, is
 * then paused. Rejects with what the sink failed with.
 */
export function pump(source: Readable, sink: PumpSink, signal: AbortSignal): Promise<PumpEnd> {
  return new Promise((resolve, reject) => {
    new Pump(source, sink, signal, resolve, reject).start();
  });
}

class Pump {
  readonly #source: Readable;
  readonly #sink: PumpSink;
  readonly #signal: AbortSignal;
  readonly #resolve: (end: PumpEnd) => void;
  readonly #reject: (error: Error) => void;
  #gathered: Buffer[] = [];
  #bytes = 0;
  #isWriting = false;
  #end: PumpEnd | undefined;
  #failure: Error | undefined;

  constructor(
    source: Readable,
    sink: PumpSink,
    signal: AbortSignal,
    resolve: (end: PumpEnd) => void,
    reject: (error: Error) => void,
  ) {
    this.#source = source;
    this.#sink = sink;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    running++;
    if (this.#source.readableEnded) this.#stop('end');
    else if (this.#source.destroyed) this.#stop('broke');
    else if (this.#signal.aborted) this.#stop('stopped');
    else {
      this.#signal.addEventListener('abort', this.#onAbort);
      this.#source.on('end', this.#onEnd).on('close', this.#onClose).on('error', this.#onClose);
      this.#source.on('data', this.#onData);
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    try {
      this.#sink.take(chunk);
    } catch (error) {
      this.#failure = error as Error;
      this.#stop('stopped');
      return;
    }
    this.#gathered.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= Math.min(mostGathered, mostGatheredByAll / running)) this.#source.pause();
    if (!this.#isWriting) void this.#write();
  };

  readonly #onEnd = (): void => this.#stop('end');
  readonly #onClose = (): void => this.#stop('broke');
  readonly #onAbort = (): void => this.#stop('stopped');

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#gathered.length > 0) {
      const batch = this.#gathered;
      this.#gathered = [];
      this.#bytes = 0;
      const written = this.#sink.write(batch);
      if (this.#end === undefined && this.#source.isPaused()) this.#source.resume();
      try {
        await written;
      } catch (error) {
        this.#failure = error as Error;
        this.#gathered = [];
        this.#stop('stopped');
      }
    }
    this.#isWriting = false;
    this.#settle();
  }

  /** Takes nothing more. */
  #stop(end: PumpEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#source.off('data', this.#onData).off('end', this.#onEnd);
    this.#source.off('close', this.#onClose).off('error', this.#onClose);
    if (end === 'stopped') this.#source.pause();
    this.#settle();
  }

  #settle(): void {
    if (this.#isWriting || this.#end === undefined) return;
    running--;
    if (this.#failure === undefined) this.#resolve(this.#end);
    else this.#reject(this.#failure);
  }
}
