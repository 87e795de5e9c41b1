import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { RegistryError } from '../oci/errors.ts';
import { Dispatchers, type DispatcherOptions } from './dispatchers.ts';
import { isTimeout, networkError } from './network-error.ts';
import type { RequestKind, UpstreamObserver } from './observer.ts';
import { untilAborted } from './until-aborted.ts';

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
}

export interface TransportOptions extends DispatcherOptions {
  /** The name in the configuration. */
  readonly upstream: string;
  readonly userAgent: string;
  readonly observer: UpstreamObserver;
}

/** Sends single requests over HTTP/1.1 connections that are kept, directly or through a proxy. */
export class Transport {
  readonly #options: TransportOptions;
  /** Apart from transfers of blobs, which may hold every connection of theirs for minutes. */
  readonly #small: Dispatchers;
  readonly #blobs: Dispatchers;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#small = new Dispatchers(options);
    this.#blobs = new Dispatchers(options);
  }

  /**
   * @param signal also ends the body of the answer
   * @throws RegistryError UPSTREAM_TIMEOUT, UPSTREAM_UNAVAILABLE, UPSTREAM_INVALID; or the signal's reason
   */
  async send(request: OutgoingRequest, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const { method, url, headers, body, bulk } = request;
    const started = performance.now();
    const deadline = this.#deadline();
    const until = AbortSignal.any([signal, deadline.signal]);
    try {
      const dispatcher = (bulk === true ? this.#blobs : this.#small).for(url);
      // undici heeds the signal only once a connection is there.
      const asked = dispatcher.request({
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
      const response = await untilAborted(asked, until);
      this.#report(request, response.statusCode, started);
      return {
        status: response.statusCode,
        headers: response.headers,
        url,
        body: response.body,
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
    await Promise.all([this.#small.destroy(), this.#blobs.destroy()]);
  }

  /**
   * undici's deadlines begin with the connection that a request gets; this one holds as well for
   * the wait for a connection, which others may keep busy.
   */
  #deadline(): { signal: AbortSignal; clear: () => void } {
    const { connect, headers, idle } = this.#options.timeouts;
    const controller = new AbortController();
    const timer = setTimeout(
      () => controller.abort(new DOMException('no connection came free in time', 'TimeoutError')),
      connect + headers + idle,
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
  void answer.body.dump({ limit: discardLimit }).catch(() => {});
}

/**
 * Reads a body whole.
 * @param limit bytes
 * @throws RegistryError UPSTREAM_INVALID where it is longer, or what the transfer fails with; or the
 *   signal's reason
 */
export async function readBody(
  answer: Answer,
  limit: number,
  upstream: string,
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
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
  }
  return Buffer.concat(chunks, size);
}
