import { readFile } from 'node:fs/promises';
import type { SecureContext } from 'node:tls';
import { Agent, request } from 'undici';
import { envelopeOf, eventsMediaType } from './envelope.ts';

export interface WebhookOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Paths of files that hold one value each; read for each request, so that secrets can be rotated. */
  readonly headerFiles: Readonly<Record<string, string>>;
  /** Milliseconds for a request, all in all. */
  readonly timeout: number;
  /** Whom to trust; undefined for the system's authorities. */
  readonly trust: SecureContext | undefined;
  readonly userAgent: string;
}

/** How a receiver took some events. */
export type Delivery =
  | { readonly kind: 'taken' }
  /** It may take them later. */
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfter: number }
  /** It will not take them, however often they come. */
  | { readonly kind: 'refused'; readonly reason: string };

/** What a receiver says to content that it cannot take: bad request, too large, not processable. */
const refusals: ReadonlySet<number> = new Set([400, 413, 422]);

/** Of an answer's body nothing is used; so much is read for the connection to be kept. */
const mostOfBody = 64 * 1024;

/** A receiver of events. */
export class Webhook {
  readonly #options: WebhookOptions;
  readonly #agent: Agent;

  constructor(options: WebhookOptions) {
    this.#options = options;
    const { trust, timeout } = options;
    this.#agent = new Agent({
      connections: 1,
      allowH2: false,
      connect: { timeout, ...(trust !== undefined && { secureContext: trust }) },
      headersTimeout: timeout,
      bodyTimeout: timeout,
    });
  }

  /** Posts lines that `eventLine` made. Never rejects, except with the signal's reason. */
  async post(lines: readonly string[], signal: AbortSignal): Promise<Delivery> {
    const { url, timeout, userAgent } = this.#options;
    signal.throwIfAborted();
    // Not AbortSignal.timeout: it would live on, with all that it holds, when the answer has come.
    const end = new AbortController();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      end.abort();
    }, timeout);
    const stop = (): void => end.abort();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const headers = await this.#headers();
      const answer = await request(url, {
        dispatcher: this.#agent,
        method: 'POST',
        headers: { 'user-agent': userAgent, ...headers, 'content-type': eventsMediaType },
        body: envelopeOf(lines),
        signal: end.signal,
      });
      const { statusCode: status } = answer;
      await answer.body.dump({ limit: mostOfBody }).catch(() => undefined);
      if (status >= 200 && status < 300) return { kind: 'taken' };
      const reason = describeStatus(status);
      if (refusals.has(status)) return { kind: 'refused', reason };
      return {
        kind: 'failed',
        reason,
        retryAfter: secondsOf(answer.headers['retry-after']) * 1000,
      };
    } catch (error) {
      signal.throwIfAborted();
      const reason = isLate ? 'it did not answer in time' : describeError(error);
      return { kind: 'failed', reason, retryAfter: 0 };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  /** Waits for what is on its way, which has a deadline. */
  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #headers(): Promise<Record<string, string>> {
    const { headers, headerFiles } = this.#options;
    const read = Object.entries(headerFiles).map(async ([name, path]) => {
      const value = (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
      // undici's own error would quote the value.
      if (/[^\t\u0020-\u007E\u0080-\u00FF]/.test(value)) {
        throw new Error(`the file of the header ${name} holds more than one line of text`);
      }
      return [name, value] as const;
    });
    return { ...headers, ...Object.fromEntries(await Promise.all(read)) };
  }
}

function describeStatus(status: number): string {
  if (status >= 300 && status < 400) return `it answered ${status}: redirects are not followed`;
  return `it answered ${status}`;
}

/** A failure in one line: the system's code where there is one. Neither holds a header. */
function describeError(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined || message.includes(code) ? message : `${code}: ${message}`;
}

function secondsOf(header: string | string[] | undefined): number {
  return typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) : 0;
}
