/**
 * A cache that other replicas share, and that may be gone, slow or hanging at any moment. Whoever
 * asks never waits longer than the deadline, and never gets a failure.
 *
 * States: `down` (not asked at all; probed in the background, the pauses growing), `up`, `closed`.
 * One failed or late answer takes it down, and all who still wait are let go at once; so an
 * outage costs one deadline, then nothing. A probe that writes and answers in time takes it up.
 */
import type { Keyv } from 'keyv';
import type { CatalogObserver, CatalogOperation } from './catalog-observer.ts';

export interface SharedCacheOptions {
  /** Rejects where the server did not do as asked (`throwOnErrors`). */
  readonly store: Keyv;
  /** Set before every key, with a colon between. */
  readonly prefix: string;
  /** How long an answer may take, in milliseconds. */
  readonly timeout: number;
  readonly observer: CatalogObserver;
}

type State = 'down' | 'up' | 'closed';

/** Pauses between probes, in milliseconds. */
const firstPause = 1_000;
const longestPause = 10_000;

/** How long the key that a probe writes is kept, in milliseconds. */
const probeLifetime = 60_000;

/** The pause after so many probes failed in a row: 1 s, 2 s, 4 s, 8 s, 10 s, 10 s, … */
export function pauseAfter(failures: number): number {
  return Math.min(firstPause * 2 ** Math.min(failures, 10), longestPause);
}

export class SharedCache {
  readonly #options: SharedCacheOptions;
  /** Those who wait for an answer, to be let go when the cache goes down. */
  readonly #waiting = new Set<() => void>();
  #state: State = 'down';
  #failures = 0;
  #probing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Messages told since it was last up. */
  readonly #told = new Set<string>();

  constructor(options: SharedCacheOptions) {
    this.#options = options;
  }

  /** Whether it is in use. */
  get up(): boolean {
    return this.#state === 'up';
  }

  /** What is kept under the key; undefined where there is nothing, and where it cannot be asked. */
  async get(key: string): Promise<unknown> {
    if (this.#state !== 'up') return undefined;
    const answer = await this.#ask('shared.get', () => this.#options.store.get(this.#key(key)));
    return answer?.value;
  }

  /** Whether it was kept for sure; `ttl` in milliseconds. */
  async set(key: string, value: unknown, ttl: number): Promise<boolean> {
    if (this.#state !== 'up') return false;
    const answer = await this.#ask('shared.set', () =>
      this.#options.store.set(this.#key(key), value, Math.ceil(ttl)),
    );
    return answer?.value === true;
  }

  /** Asks whether the server is back, at once; called when there is reason to hope so. */
  probe(): Promise<void> {
    if (this.#state !== 'down') return Promise.resolve();
    clearTimeout(this.#timer);
    this.#probing ??= this.#probe().finally(() => (this.#probing = undefined));
    return this.#probing;
  }

  /** Takes it out of use: the connection is known to be gone. */
  fail(operation: CatalogOperation, error: unknown): void {
    if (this.#state === 'closed') return;
    this.#report(operation, error);
    if (this.#state !== 'up') return;
    this.#state = 'down';
    this.#failures = 0;
    this.#options.observer.up(false);
    for (const letGo of this.#waiting) letGo();
    this.#schedule();
  }

  /** Asks no more. Closing the store is the business of whoever opened it. */
  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    for (const letGo of this.#waiting) letGo();
  }

  async #probe(): Promise<void> {
    const key = this.#key('probe');
    const answer = await this.#ask('shared.connect', () =>
      this.#options.store.set(key, this.#failures, probeLifetime),
    );
    if (this.#state !== 'down') return;
    if (answer?.value === true) {
      this.#state = 'up';
      this.#failures = 0;
      this.#told.clear();
      this.#options.observer.up(true);
    } else {
      this.#schedule();
      this.#failures += 1;
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.probe(), pauseAfter(this.#failures)).unref();
  }

  /** One call under the deadline; undefined where it failed, was late, or the cache went down meanwhile. */
  async #ask<T>(
    operation: CatalogOperation,
    call: () => Promise<T>,
  ): Promise<{ value: T } | undefined> {
    const { timeout } = this.#options;
    const given = Promise.withResolvers<undefined>();
    const letGo = (): void => given.resolve(undefined);
    this.#waiting.add(letGo);
    let isLate = true;
    const timer = setTimeout(() => {
      // An answer may be lying in the socket while this process was busy: let it be read first.
      setImmediate(() => {
        if (!isLate) return;
        this.fail(operation, new Error(`no answer within ${timeout} ms`));
        letGo();
      });
    }, timeout);
    try {
      return await Promise.race([call().then((value) => ({ value })), given.promise]);
    } catch (error) {
      if (isForeign(error)) this.#options.observer.error({ operation: 'shared.decode', error });
      else this.fail(operation, error);
      return undefined;
    } finally {
      isLate = false;
      clearTimeout(timer);
      this.#waiting.delete(letGo);
    }
  }

  #key(key: string): string {
    return `${this.#options.prefix}:${key}`;
  }

  /** Until it is up again the same failure is told once, not at every attempt to reconnect. */
  #report(operation: CatalogOperation, error: unknown): void {
    const message = messageOf(error);
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#options.observer.error({ operation, error });
  }
}

/** The key holds something that is not a string: another program's, and no sign of trouble. */
function isForeign(error: unknown): boolean {
  return messageOf(error).startsWith('WRONGTYPE');
}

function messageOf(error: unknown): string {
  return (error as Error | undefined)?.message ?? String(error);
}
