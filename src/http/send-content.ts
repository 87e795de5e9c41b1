import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { largeBuffer } from '../lib/buffer-pool.ts';
import type { BlobReader, Piece } from '../store/blob-reader.ts';
import { setAwaitingContent } from './awaiting-content.ts';
import { ClientPace, paceOf } from './client-pace.ts';
import { hasRoom, inTurn, noteSent } from './send-turns.ts';

/*
 * The send loop: piece by piece from the reader to the socket. For a client that keeps up, the
 * next piece is read while the kernel takes the last; any other has one at a time, so that a
 * thousand slow clients hold little (see client-pace).
 *
 * The body goes to the socket itself: a write to the response is corked until the next tick, so
 * that the kernel never gets it at once.
 *
 * Callbacks rather than promises and streams: this loop is what a warm pull consists of.
 */

/** Part of a response's body: bytes at hand, or a stretch of the content (`end` exclusive). */
export type Segment = Buffer | { readonly start: number; readonly end: number };

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
 * @param told is told the same as who waits, and before the response says that it is closed
 */
export function sendContent(
  response: ServerResponse,
  reader: BlobReader,
  segments: readonly Segment[],
  told?: (result: SendResult) => void,
): Promise<SendResult> {
  return new Promise((resolve) => {
    const done = (result: SendResult): void => {
      told?.(result);
      resolve(result);
    };
    new Sender(response, reader, segments, done).start();
  });
}

/** Writes that may be under way at once for a client that keeps up. */
const maxInFlight = 2;

class Sender {
  readonly #response: ServerResponse;
  readonly #sink: Writable;
  readonly #pace: ClientPace;
  readonly #reader: BlobReader;
  readonly #segments: readonly Segment[];
  readonly #done: (result: SendResult) => void;
  #segment = 0;
  #position = 0;
  #sent = 0;
  #inFlight = 0;
  /** A read, or a wait for bytes to arrive, is under way. */
  #isReading = false;
  #failure: Error | undefined;
  #isOver = false;

  constructor(
    response: ServerResponse,
    reader: BlobReader,
    segments: readonly Segment[],
    done: (result: SendResult) => void,
  ) {
    this.#response = response;
    // A pipelined request has no socket yet, and a body of unknown length is framed in chunks.
    const { socket } = response;
    this.#sink = socket === null || response.chunkedEncoding ? response : socket;
    this.#pace = socket === null ? new ClientPace() : paceOf(socket);
    this.#reader = reader;
    this.#segments = segments;
    this.#done = done;
  }

  start(): void {
    if (this.#response.destroyed) {
      // The client left before there was anything to send: nothing will tell that again.
      this.#finish();
      return;
    }
    this.#response.once('close', this.#onClose);
    this.#response.flushHeaders();
    this.#enter(0);
    inTurn(this.#goOn);
  }

  readonly #goOn = (): void => this.#step();

  readonly #onClose = (): void => {
    this.#finish();
  };

  get #mayGoOn(): boolean {
    const limit = this.#pace.grade === 'swift' ? maxInFlight : 1;
    return !this.#isOver && !this.#isReading && this.#inFlight < limit;
  }

  /** Reads and writes until it has to wait for one of the two. */
  #step(): void {
    while (this.#mayGoOn) {
      // What is being written goes on with the rest when it is this one's turn again.
      if (this.#inFlight > 0 && !hasRoom()) return;
      const segment = this.#segments[this.#segment];
      if (segment === undefined) {
        if (this.#inFlight === 0) this.#finish();
        return;
      }
      if (Buffer.isBuffer(segment)) {
        this.#enter(this.#segment + 1);
        this.#write({ bytes: segment, release() {} });
      } else if (this.#position >= segment.end) {
        this.#enter(this.#segment + 1);
      } else {
        this.#proceed(segment.end);
      }
    }
  }

  /** Takes the next piece of the content, or waits for it. */
  #proceed(end: number): void {
    const available = this.#reader.available(this.#position);
    if (available === 0) {
      this.#await(end);
      return;
    }
    const piece = this.#next(Math.min(available, end - this.#position));
    if (piece !== undefined) this.#send(piece);
  }

  #next(max: number): Piece | undefined {
    const most = Math.min(max, largeBuffer);
    const piece = this.#reader.next(this.#position, most, this.#pace.grade, this.#onPiece);
    if (piece === undefined) this.#isReading = true;
    return piece;
  }

  /** Many reads may come back at once: each waits for its turn before it is written. */
  readonly #onPiece = (error: Error | null, piece: Piece | undefined): void => {
    inTurn(() => this.#take(error, piece));
  };

  #take(error: Error | null, piece: Piece | undefined): void {
    if (!this.#readEnded()) {
      piece?.release();
    } else if (error !== null || piece === undefined) {
      this.#fail(error ?? new Error('the content could not be read'));
    } else {
      this.#send(piece);
      this.#step();
    }
  }

  #send(piece: Piece): void {
    this.#position += piece.bytes.length;
    // What has to be read next is read beside the write, which lasts as long as the kernel copies.
    this.#inFlight++;
    const ahead = this.#readAhead();
    this.#inFlight--;
    this.#write(piece);
    if (ahead !== undefined) this.#send(ahead);
  }

  /** Begins to read the next piece of the same segment; gives it where it was in memory. */
  #readAhead(): Piece | undefined {
    const segment = this.#segments[this.#segment];
    if (segment === undefined || Buffer.isBuffer(segment) || !this.#mayGoOn) return undefined;
    const available = this.#reader.available(this.#position);
    const length = Math.min(available, segment.end - this.#position);
    return length > 0 ? this.#next(length) : undefined;
  }

  #write(piece: Piece): void {
    this.#inFlight++;
    noteSent(piece.bytes.length);
    const since = performance.now();
    this.#sink.write(piece.bytes, (error) => {
      this.#inFlight--;
      piece.release();
      if (error) {
        this.#finish();
        return;
      }
      this.#sent += piece.bytes.length;
      this.#pace.wrote(piece.bytes.length, performance.now() - since);
      inTurn(this.#goOn);
    });
  }

  #await(end: number): void {
    this.#isReading = true;
    const { socket } = this.#response;
    if (socket !== null) setAwaitingContent(socket, true);
    this.#reader.arrival(this.#position).then(
      (available) => {
        if (socket !== null) setAwaitingContent(socket, false);
        if (!this.#readEnded()) return;
        // Everybody at the edge of a download hears of the same bytes at the same time.
        if (available > 0) inTurn(this.#goOn);
        else this.#contentEnded(end);
      },
      (error: unknown) => {
        if (this.#readEnded()) this.#fail(error as Error);
      },
    );
  }

  #contentEnded(end: number): void {
    if (end !== Infinity) {
      this.#fail(new Error('the content ended before its announced length'));
      return;
    }
    this.#enter(this.#segment + 1);
    this.#step();
  }

  /** Notes that a read or a wait came back; false where the response is over, the reader then closed. */
  #readEnded(): boolean {
    this.#isReading = false;
    if (this.#isOver) this.#reader.close();
    return !this.#isOver;
  }

  #enter(index: number): void {
    this.#segment = index;
    const segment = this.#segments[index];
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

  #break(): void {
    const last = this.#segments.at(-1);
    const isEndless = last !== undefined && !Buffer.isBuffer(last) && last.end === Infinity;
    const { socket } = this.#response;
    // For HTTP/1.0 the connection's end is such a body's end: only a reset shows that it is wrong.
    // TLS has an end of its own, which is then missing (and its sockets cannot be reset).
    const needsReset = isEndless && !this.#response.chunkedEncoding;
    if (needsReset && !(socket instanceof TLSSocket)) socket?.resetAndDestroy();
    else this.#response.destroy();
  }
}
