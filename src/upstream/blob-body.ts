import { Readable } from 'node:stream';
import { RegistryError } from '../oci/errors.ts';
import { networkError } from './network-error.ts';
import { Pace, type PaceLimits } from './pace.ts';
import type { Answer } from './transport.ts';

/** Bytes read ahead of the consumer. */
const readAhead = 262_144;

/**
 * A blob's body as an upstream promises it: it ends where it was said to end, or with a
 * RegistryError (UPSTREAM_TIMEOUT for an idle connection or one that trickles, UPSTREAM_UNAVAILABLE for a broken or short
 * one, UPSTREAM_INVALID for one too long), or with the signal's reason.
 */
export class BlobBody extends Readable {
  readonly #source: Readable;
  readonly #expected: number | undefined;
  readonly #most: number;
  readonly #fail: (error: unknown) => Error;
  #received = 0;
  #flowing = false;
  readonly #pace: Pace;
  readonly #limits: PaceLimits;
  readonly #slow: () => Error;
  readonly #endless: () => Error;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param length.expected bytes; undefined where only the connection's end tells
   * @param length.most bytes that are taken, whatever comes
   */
  constructor(
    answer: Answer,
    { expected, most }: { expected: number | undefined; most: number },
    upstream: string,
    signal: AbortSignal,
  ) {
    super({ highWaterMark: readAhead });
    this.#source = answer.body;
    this.#expected = expected;
    this.#most = most;
    const { host } = answer.url;
    this.#limits = answer.limits.pace;
    this.#pace = new Pace(this.#limits);
    this.#slow = () => {
      const message = `${upstream}: ${host} sends less than ${this.#limits.minRate} bytes a second`;
      return new RegistryError('UPSTREAM_TIMEOUT', message, { upstreamHost: host });
    };
    // Between the answer and its first reader a break must not bring the process down; who reads is told.
    this.on('error', () => {});
    this.#fail = (error) => {
      return signal.aborted ? (signal.reason as Error) : networkError(error, upstream, host);
    };
    this.#endless = () => {
      const message = `${upstream}: ${host} sends more than a blob may have (max_blob_size)`;
      return new RegistryError('UPSTREAM_INVALID', message, { upstreamHost: host });
    };
    this.#source.on('error', (error) => this.destroy(this.#fail(error)));
    this.#source.on('close', () => {
      if (!this.#source.readableEnded) this.destroy(this.#fail(new Error('the connection broke')));
    });
    this.#source.on('end', () => this.#end(upstream, host));
  }

  override _read(): void {
    this.#pace.flows();
    if (this.#flowing) {
      this.#source.resume();
      return;
    }
    this.#flowing = true;
    this.#watch();
    this.#source.on('data', (chunk: Buffer) => {
      this.#received += chunk.length;
      this.#pace.received(chunk.length);
      if (this.#received > this.#most) {
        this.destroy(this.#endless());
        return;
      }
      if (this.push(chunk)) return;
      this.#pace.waits();
      this.#source.pause();
    });
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearInterval(this.#timer);
    this.#source.destroy();
    callback(error);
  }

  #watch(): void {
    if (this.#limits.minRate === 0) return;
    this.#timer = setInterval(() => {
      if (this.#pace.isTooSlow()) this.destroy(this.#slow());
    }, this.#limits.over);
    this.#timer.unref();
  }

  #end(upstream: string, host: string): void {
    clearInterval(this.#timer);
    if (this.#expected === undefined || this.#received === this.#expected) {
      this.push(null);
      return;
    }
    const short = this.#received < this.#expected;
    const message = `${upstream}: ${host} sent ${this.#received} bytes, not ${this.#expected}`;
    this.destroy(new RegistryError(short ? 'UPSTREAM_UNAVAILABLE' : 'UPSTREAM_INVALID', message));
  }
}
