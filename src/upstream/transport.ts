import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { RegistryError } from '../oci/errors.ts';
import { Dispatchers, type DispatcherOptions } from './dispatchers.ts';
import { wasKept } from './kept-connection.ts';
import { isTimeout, networkError, noConnectionFree } from './network-error.ts';
import type { PaceLimits } from './pace.ts';
import type { RequestKind, UpstreamObserver } from './observer.ts';
import { untilAborted } from '../lib/until-aborted.ts';

/** Milliseconds by which undici's timers, which tick twice a second, may be late, and some more. */
const timerLag = 2_000;

/** One HTTP request: a redirect is another. */
export interface OutgoingRequest {
  readonly kind: RequestKind;
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: URL;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The answer may take minutes: it gets a connection of those that are there for that. */
  readonly bulk?: true;
}

/** An answer of any status. Its body must be read or discarded, or the connection is lost. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where it came from, after redirects. */
  readonly url: URL;
  /** Undecoded; fails with what undici has to say, or with the signal's reason. */
  readonly body: Dispatcher.ResponseData['body'];
  readonly limits: BodyLimits;
}

/** How long a body may take, and how long it may be. */
export interface BodyLimits {
  /** Milliseconds for one that is read whole. */
  readonly whole: number;
  /** For one that is passed on as it comes. */
  readonly pace: PaceLimits;
  /** Bytes of a blob. */
  readonly blob: number;
}

export interface TransportOptions extends DispatcherOptions {
  /** The name in the configuration. */
  readonly upstream: string;
  readonly userAgent: string;
  /** Bytes a second under which a blob's body counts as broken; 0 for any pace. */
  readonly minRate: number;
  /** Bytes; a larger blob is refused, or cut off where its size is not told. */
  readonly maxBlobSize: number;
  readonly observer: UpstreamObserver;
}

/** Sends single requests over HTTP/1.1 connections that are kept, directly or through a proxy. */
export class Transport {
  readonly #options: TransportOptions;
  /** Apart from transfers of blobs, which may hold every connection of theirs for minutes. */
  readonly #small: Dispatchers;
  readonly #blobs: Dispatchers;
  /** For what found its kept connection closed. */
  readonly #fresh: Dispatchers;
  readonly #limits: BodyLimits;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#small = new Dispatchers(options);
    this.#blobs = new Dispatchers(options);
    this.#fresh = new Dispatchers({ ...options, fresh: true });
    const { body: whole, slow: over } = options.timeouts;
    const { minRate, maxBlobSize: blob } = options;
    this.#limits = { whole, pace: { minRate, over }, blob };
  }

  /**
   * @param signal also ends the body of the answer
   * @throws RegistryError UPSTREAM_TIMEOUT, UPSTREAM_UNAVAILABLE, UPSTREAM_INVALID; or the signal's reason
   */
  async send(request: OutgoingRequest, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const { method, url, bulk } = request;
    const started = performance.now();
    const deadline = this.#deadline();
    const until = AbortSignal.any([signal, deadline.signal]);
    try {
      const kept = this.#ask(bulk === true ? this.#blobs : this.#small, request, until);
      // A server may close a kept connection just as a request leaves: that is no failure of its own.
      const response = await kept.catch((error: unknown) => {
        if (method === 'POST' || until.aborted || !wasKept(error)) throw error;
        return this.#ask(this.#fresh, request, until);
      });
      this.#report(request, response.statusCode, started);
      return {
        status: response.statusCode,
        headers: response.headers,
        url,
        body: response.body,
        limits: this.#limits,
      };
    } catch (error) {
      if (!signal.aborted) {
        this.#report(request, isTimeout(error) ? 'timeout' : 'network', started);
        throw networkError(error, this.#options.upstream, url.host);
      }
      // Our own deadline is news about the upstream; a client that left is not.
      if (isTimeout(signal.reason)) this.#report(request, 'timeout', started);
      throw signal.reason;
    } finally {
      deadline.clear();
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#small, this.#blobs, this.#fresh].map((each) => each.destroy()));
  }

  async #ask(
    dispatchers: Dispatchers,
    { method, url, headers, body }: OutgoingRequest,
    until: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const asked = dispatchers.for(url).request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers: {
        'user-agent': this.#options.userAgent,
        'accept-encoding': 'identity',
        ...headers,
      },
      body: body ?? null,
      signal: until,
    });
    // undici heeds the signal only once a connection is there.
    return untilAborted(asked, until);
  }

  /**
   * undici's deadlines begin with the connection that a request gets; this one holds as well for
   * the wait for a connection, which others may keep busy. It is longer than theirs together: where
   * it runs out, the request has not been sent.
   */
  #deadline(): { signal: AbortSignal; clear: () => void } {
    const { connect, headers, idle } = this.#options.timeouts;
    const controller = new AbortController();
    const timer = setTimeout(
      () => controller.abort(Object.assign(new Error(), { code: noConnectionFree })),
      // Through a proxy a connection takes three steps: to it, its answer, and TLS with the host.
      3 * connect + headers + idle + timerLag,
    );
    return { signal: controller.signal, clear: () => clearTimeout(timer) };
  }

  #report(request: OutgoingRequest, status: number | 'timeout' | 'network', started: number): void {
    this.#options.observer.request({
      upstream: this.#options.upstream,
      host: request.url.host,
      kind: request.kind,
      method: request.method,
      status,
      seconds: (performance.now() - started) / 1000,
    });
  }
}

/** Bytes of an unwanted body that are read so that its connection can be kept. */
const discardLimit = 65_536;

/** Gets rid of a body that nobody wants, without waiting for it. */
export function discard(answer: Answer): void {
  answer.body.on('error', () => {});
  const signal = AbortSignal.timeout(answer.limits.whole);
  void answer.body.dump({ limit: discardLimit, signal }).catch(() => {});
}

/**
 * Reads a body whole.
 * @param limit bytes
 * @throws RegistryError UPSTREAM_INVALID where it is longer, UPSTREAM_TIMEOUT where it takes longer
 *   than a body may, or what the transfer fails with; or the signal's reason
 */
export async function readBody(
  answer: Answer,
  limit: number,
  upstream: string,
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const late = new DOMException('its answer took too long', 'TimeoutError');
  const deadline = setTimeout(() => answer.body.destroy(late), answer.limits.whole);
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) {
        throw new RegistryError(
          'UPSTREAM_INVALID',
          `${upstream}: ${answer.url.host} answered with more than ${limit} bytes`,
        );
      }
      chunks.push(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw networkError(error, upstream, answer.url.host);
  } finally {
    clearTimeout(deadline);
  }
  return Buffer.concat(chunks, size);
}
