import { LRUCache } from 'lru-cache';
import { SingleFlight } from '../lib/single-flight.ts';
import { RegistryError } from '../oci/errors.ts';
import { credentialIdentity } from './credentials.ts';
import { statusError } from './failure.ts';
import type { UpstreamObserver } from './observer.ts';
import { follow } from './redirect.ts';
import { parseTokenAnswer, type IssuedToken } from './token-answer.ts';
import { tokenRequests, type TokenWish } from './token-request.ts';
import { discard, readBody, type Answer, type Transport } from './transport.ts';
import { untilAborted } from '../lib/until-aborted.ts';

export interface TokenSourceOptions {
  readonly upstream: string;
  readonly transport: Pick<Transport, 'send'>;
  readonly observer: UpstreamObserver;
  /** Milliseconds for one token, as a whole. */
  readonly timeout: number;
  /** Milliseconds since the epoch; for tests. */
  readonly now?: () => number;
}

interface Held {
  readonly token: string;
  readonly expiresAt: number;
  /** From here on it is renewed behind the requests that still use it. */
  refreshAt: number;
}

/** A token with what it takes to tell a stale one from a useless one. */
export interface Grant {
  readonly token: string;
  /** It was fetched for this very call: if it is refused, another would be too. */
  readonly fresh: boolean;
}

/** Bytes of a token endpoint's answer. */
const maxAnswer = 65_536;
/** Of a token's life, before it is renewed. */
const renewalPoint = 0.75;
/** Milliseconds between attempts to renew a token that is still good. */
const renewalPause = 5_000;

/**
 * Bearer tokens, kept per realm, service, scope and credential. Any number of callers share one
 * request; a token is renewed before it expires, and while it is good no failure to renew it hurts.
 */
export class TokenSource {
  readonly #options: TokenSourceOptions;
  readonly #now: () => number;
  readonly #held = new LRUCache<string, Held>({ max: 4096 });
  readonly #fetching = new SingleFlight<Grant>();
  readonly #closing = new AbortController();

  constructor(options: TokenSourceOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /**
   * A token that has not expired.
   * @throws RegistryError UPSTREAM_DENIED, TOOMANYREQUESTS, UPSTREAM_TIMEOUT, UPSTREAM_UNAVAILABLE,
   *   UPSTREAM_INVALID; or the signal's reason, which ends only this caller's wait
   */
  async get(wish: TokenWish, signal: AbortSignal): Promise<Grant> {
    signal.throwIfAborted();
    const key = keyOf(wish);
    const held = this.#held.get(key);
    const now = this.#now();
    if (held === undefined || now >= held.expiresAt) {
      return untilAborted(this.#fetchOnce(key, wish), signal);
    }
    if (now >= held.refreshAt) {
      held.refreshAt = now + renewalPause;
      this.#fetchOnce(key, wish).catch((error: unknown) => {
        this.#warn(`a token is about to expire and was not renewed: ${(error as Error).message}`);
      });
    }
    return { token: held.token, fresh: false };
  }

  /** The registry refused this token; another caller may have renewed it since. */
  forget(wish: TokenWish, token: string): void {
    const key = keyOf(wish);
    if (this.#held.peek(key)?.token === token) this.#held.delete(key);
  }

  /** Ends running requests. */
  close(): void {
    this.#closing.abort(
      new RegistryError('UPSTREAM_UNAVAILABLE', `${this.#options.upstream}: the client was closed`),
    );
  }

  #fetchOnce(key: string, wish: TokenWish): Promise<Grant> {
    return this.#fetching.run(key, () => this.#fetch(key, wish));
  }

  async #fetch(key: string, wish: TokenWish): Promise<Grant> {
    const { timeout, upstream } = this.#options;
    const deadline = AbortSignal.timeout(timeout);
    const signal = AbortSignal.any([deadline, this.#closing.signal]);
    const started = this.#now();
    try {
      const { token, lifetime } = await this.#ask(wish, signal);
      const expiresAt = started + lifetime;
      this.#held.set(key, { token, expiresAt, refreshAt: started + lifetime * renewalPoint });
      return { token, fresh: true };
    } catch (error) {
      if (!deadline.aborted) throw error;
      const message = `${upstream}: no token from ${wish.realm.host} within ${timeout} ms`;
      const upstreamHost = wish.realm.host;
      throw new RegistryError('UPSTREAM_TIMEOUT', message, { cause: error, upstreamHost });
    }
  }

  async #ask(wish: TokenWish, signal: AbortSignal): Promise<IssuedToken> {
    const send = this.#options.transport.send.bind(this.#options.transport);
    const requests = tokenRequests(wish);
    for (const [index, request] of requests.entries()) {
      const answer =
        request.method === 'GET'
          ? (await follow(send, request, signal)).answer
          : // Not followed anywhere: its body is the credential.
            await send(request, signal);
      const refused = answer.status === 404 || answer.status === 405;
      if (!refused || index === requests.length - 1) return this.#read(answer, wish, signal);
      discard(answer);
    }
    throw new Error('unreachable: there is always a request');
  }

  async #read(answer: Answer, wish: TokenWish, signal: AbortSignal): Promise<IssuedToken> {
    const { upstream } = this.#options;
    const body = await readBody(answer, maxAnswer, upstream, signal);
    const { status, headers } = answer;
    const { host } = answer.url;
    if (status !== 200) {
      const subject = wish.scope;
      throw statusError(
        { upstream, host, kind: 'token', subject, status, headers, body },
        this.#now(),
      );
    }
    const issued = parseTokenAnswer(body, this.#now());
    if (issued !== undefined) return issued;
    const message = `${upstream}: ${host} answered without a usable token`;
    throw new RegistryError('UPSTREAM_INVALID', message, { upstreamStatus: status });
  }

  #warn(message: string): void {
    this.#options.observer.warning({ upstream: this.#options.upstream, message });
  }
}

function keyOf({ realm, service, scope, credential }: TokenWish): string {
  return JSON.stringify([realm.href, service, scope, credentialIdentity(credential)]);
}
