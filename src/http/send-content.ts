import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import type { BlobReader } from '../store/blob-reader.ts';
import { smallBuffer, type BufferPool } from './buffer-pool.ts';
import { ClientPace } from './client-pace.ts';

/*
 * The send loop. A swift client gets two large buffers: while the kernel takes one, the next is
 * read. Any other works with a single small one, so that a thousand slow clients hold little (see
 * client-pace). Where the bytes are in memory already, as for followers at the edge of a download,
 * that memory itself is written.
 *
 * The body goes to the socket itself: a write to the response is corked until the next tick, so
 * that the kernel never gets it at once.
 *
 * Callbacks rather than promises and streams: this loop is what a warm pull consists of.
 */

/** Part of a response's body: bytes at hand, or a stretch of the content (`end` exclusive). */
export type Segment = Buffer | { readonly start: number; readonly end: number };

/** Writes that may be under way at once for a client that keeps up. */
const maxInFlight = 2;

/** How the sending of a body ended. */
export interface SendResult {
  /** Bytes of the body that were handed to the kernel. */
  readonly bytes: number;
  /** False where the client left, or the content failed, before the end. */
  readonly complete: boolean;
  /** Why the content failed underway, where it did. */
  readonly error?: Error;
}

/**
 * Sends segments as the body of a response whose head is written, and ends it; where the content
 * fails underway the connection is destroyed, for the client must not take it for complete.
 * Never rejects. Closes the reader in every case.
 */
export function sendContent(
  response: ServerResponse,
  reader: BlobReader,
  segments: readonly Segment[],
  pool: BufferPool,
): Promise<SendResult> {
  return new Promise((resolve) => {
    new Sender(response, reader, segments, pool, resolve).start();
  });
}

class Sender {
  readonly #response: ServerResponse;
  readonly #sink: Writable;
  readonly #reader: BlobReader;
  readonly #segments: readonly Segment[];
  readonly #pool: BufferPool;
  readonly #done: (result: SendResult) => void;
  #segment = 0;
  #position = 0;
  #sent = 0;
  #inFlight = 0;
  /** A read, or a wait for bytes to arrive, is under way. */
  #isReading = false;
  readonly #pace = new ClientPace();
  #failure: Error | undefined;
  #isOver = false;

  constructor(
    response: ServerResponse,
    reader: BlobReader,
    segments: readonly Segment[],
    pool: BufferPool,
    done: (result: SendResult) => void,
  ) {
    this.#response = response;
    // A pipelined request has no socket yet, and a body of unknown length is framed in chunks.
    const { socket } = response;
    this.#sink = socket === null || response.chunkedEncoding ? response : socket;
    this.#reader = reader;
    this.#segments = segments;
    this.#pool = pool;
    this.#done = done;
  }

  start(): void {
    this.#response.once('close', this.#onClose);
    this.#response.flushHeaders();
    this.#enter();
    this.#step();
  }

  readonly #onClose = (): void => {
    this.#finish();
  };

  #break(): void {
    const last = this.#segments.at(-1);
    const isEndless = last !== undefined && !Buffer.isBuffer(last) && last.end === Infinity;
    // For HTTP/1.0 the connection's end is such a body's end: only a reset shows that it is wrong.
    if (isEndless && !this.#response.chunkedEncoding) this.#response.socket?.resetAndDestroy();
    else this.#response.destroy();
  }

  /** Reads and writes until it has to wait for one of the two. */
  readonly #step = (): void => {
    while (!this.#isOver && !this.#isReading && this.#inFlight < this.#limit) {
      const segment = this.#segments[this.#segment];
      if (segment === undefined) {
        if (this.#inFlight === 0) this.#finish();
        return;
      }
      if (Buffer.isBuffer(segment)) {
        this.#next();
        this.#inFlight++;
        this.#write(segment, undefined);
        continue;
      }
      if (this.#position >= segment.end) {
        this.#next();
        continue;
      }
      const available = this.#reader.available(this.#position);
      if (typeof available !== 'number') {
        this.#await(available);
        return;
      }
      if (available === 0) {
        if (segment.end === Infinity) {
          this.#next();
          continue;
        }
        this.#fail(new Error('the content ended before its announced length'));
        return;
      }
      this.#sendSome(Math.min(available, segment.end - this.#position));
    }
  };

  get #limit(): number {
    return this.#pace.isSwift ? maxInFlight : 1;
  }

  #await(available: Promise<number>): void {
    this.#isReading = true;
    // The silence is the upstream's, which has deadlines of its own; not the client's.
    const { socket } = this.#response;
    const stallTimeout = socket?.timeout ?? 0;
    socket?.setTimeout(0);
    available.then(
      () => {
        socket?.setTimeout(stallTimeout);
        if (this.#readEnded()) this.#step();
      },
      (error: unknown) => {
        if (this.#readEnded()) this.#fail(error as Error);
      },
    );
  }

  /** Notes that a read or a wait came back; false where the response is over, the reader then closed. */
  #readEnded(): boolean {
    this.#isReading = false;
    if (this.#isOver) this.#reader.close();
    return !this.#isOver;
  }

  #sendSome(length: number): void {
    const isShared = !this.#pace.isSlow && this.#pool.mayPin;
    const view = isShared ? this.#reader.view(this.#position) : undefined;
    if (view === undefined) {
      this.#read(length);
      return;
    }
    const bytes = view.length > length ? view.subarray(0, length) : view;
    this.#position += bytes.length;
    this.#inFlight++;
    this.#write(bytes, undefined);
  }

  #read(length: number): void {
    const buffer = this.#pool.take(this.#pace.isSwift && length > smallBuffer);
    this.#isReading = true;
    this.#reader.read(buffer, Math.min(length, buffer.length), this.#position, (error, count) => {
      if (!this.#readEnded() || error !== null || count === 0) {
        this.#pool.give(buffer);
        if (!this.#isOver) this.#fail(error ?? new Error('the content is shorter than it was'));
        return;
      }
      this.#position += count;
      this.#inFlight++;
      // The next read runs beside the write, which blocks for as long as the kernel copies.
      this.#readAhead();
      this.#write(count === buffer.length ? buffer : buffer.subarray(0, count), buffer);
      this.#step();
    });
  }

  #readAhead(): void {
    const segment = this.#segments[this.#segment];
    if (segment === undefined || Buffer.isBuffer(segment) || this.#inFlight >= this.#limit) return;
    const available = this.#reader.available(this.#position);
    if (typeof available !== 'number') {
      // Asked again when the write is through; a failure meanwhile must not count as unhandled.
      available.catch(() => undefined);
      return;
    }
    if (this.#reader.view(this.#position) !== undefined) return;
    const length = Math.min(available, segment.end - this.#position);
    if (length > 0) this.#read(length);
  }

  /** @param pooled the buffer to give back once the kernel has the bytes */
  #write(bytes: Buffer, pooled: Buffer | undefined): void {
    const since = performance.now();
    let pinned = 0;
    this.#sink.write(bytes, (error) => {
      this.#inFlight--;
      this.#pool.pin(-pinned);
      if (pooled !== undefined) this.#pool.give(pooled);
      if (error) {
        this.#finish();
        return;
      }
      this.#sent += bytes.length;
      this.#pace.wrote(bytes.length, performance.now() - since);
      this.#step();
    });
    if (pooled === undefined && this.#sink.writableLength > 0) {
      pinned = bytes.length;
      this.#pool.pin(pinned);
    }
  }

  #next(): void {
    this.#segment++;
    this.#enter();
  }

  #enter(): void {
    const segment = this.#segments[this.#segment];
    if (segment !== undefined && !Buffer.isBuffer(segment)) this.#position = segment.start;
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#response.off('close', this.#onClose);
    const complete = this.#segment >= this.#segments.length && this.#failure === undefined;
    if (complete) this.#response.end();
    else this.#break();
    // A read that is still under way closes the reader when it comes back.
    if (!this.#isReading) this.#reader.close();
    const error = this.#failure;
    this.#done({ bytes: this.#sent, complete, ...(error === undefined ? {} : { error }) });
  }
}
