import { LRUCache } from 'lru-cache';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import { Breaker, type BreakerPolicy } from './breaker.ts';
import { isLocal } from './network-error.ts';
import type { UpstreamObserver } from './observer.ts';
import { parseRetryAfter } from './rate-limit.ts';
import { refused } from './refused.ts';
import { reportBreaker, type UpstreamStatus } from './upstream-status.ts';
import type { Answer, OutgoingRequest, Transport } from './transport.ts';

/** CDNs answer under ever new names. */
const maxHosts = 64;

export interface FarHostsOptions {
  readonly upstream: string;
  readonly transport: Pick<Transport, 'send'>;
  readonly breaker: BreakerPolicy;
  readonly observer: UpstreamObserver;
}

/**
 * The hosts that an upstream redirects to, such as its CDN, each behind a breaker of its own: where
 * one of them is down or slow, the registry itself goes on being asked.
 */
export class FarHosts {
  readonly #options: FarHostsOptions;
  readonly #breakers = new LRUCache<string, Breaker>({ max: maxHosts });

  constructor(options: FarHostsOptions) {
    this.#options = options;
  }

  /**
   * Sends one hop that leads there.
   * @throws RegistryError UPSTREAM_UNAVAILABLE or TOOMANYREQUESTS while the host is left alone, or
   *   what the transport fails with
   */
  async send(request: OutgoingRequest, signal: AbortSignal): Promise<Answer> {
    const { upstream, transport } = this.#options;
    const { host } = request.url;
    const breaker = this.#breaker(host);
    const admission = breaker.admit(performance.now());
    if ('wait' in admission) throw refused(upstream, host, admission);
    const failed = (failure: RegistryError): void => {
      const wait = breaker.failed(admission, failure, performance.now());
      if (wait !== undefined) this.#tell(host, wait / 1000, failure);
    };
    try {
      const answer = await transport.send(request, signal);
      const failure = failureOf(answer, host);
      if (failure !== undefined) failed(failure);
      else if (breaker.succeeded(admission)) this.#tell(host, undefined, undefined);
      return answer;
    } catch (error) {
      if (signal.aborted || isLocal(error) || !isRegistryError(error)) breaker.abandoned(admission);
      else failed(error);
      throw error;
    }
  }

  /** How those stand that failed last. */
  status(now: number): UpstreamStatus['redirects'] {
    return [...this.#breakers.entries()]
      .map(([host, breaker]) => ({ host, breaker: reportBreaker(breaker.status(now)) }))
      .filter(({ breaker }) => breaker.failures > 0);
  }

  #breaker(host: string): Breaker {
    let breaker = this.#breakers.get(host);
    if (breaker === undefined) {
      // A timeout is no plain word here: one blob that its CDN has to look for says nothing of the rest.
      breaker = new Breaker(this.#options.breaker, Math.random, isLimit);
      this.#breakers.set(host, breaker);
    }
    return breaker;
  }

  #tell(host: string, wait: number | undefined, failure: Error | undefined): void {
    const { upstream, observer } = this.#options;
    observer.breaker({ upstream, host, credential: undefined, wait, failure });
  }
}

/** What an answer's status says against the host; undefined where it is in service. */
function failureOf({ status, headers }: Answer, host: string): RegistryError | undefined {
  if (status < 500 && status !== 429) return undefined;
  const retryAfter = parseRetryAfter(headers['retry-after'], Date.now());
  const code = status === 429 ? 'TOOMANYREQUESTS' : 'UPSTREAM_UNAVAILABLE';
  return new RegistryError(code, `${host} answered ${status}`, {
    upstreamStatus: status,
    upstreamHost: host,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

function isLimit({ code }: RegistryError): boolean {
  return code === 'TOOMANYREQUESTS';
}
