import { setTimeout as delay } from 'node:timers/promises';
import { untilAborted } from '../lib/until-aborted.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { WarmWaiting } from './warm-event.ts';

/*
 * Nobody waits at the other end: what a client would be refused at once, warming waits for.
 *
 * - An upstream whose quota is nearly used up is left to clients until there is more.
 * - One that says how long to stay away (429, and the breaker behind it) is believed.
 * - One that does not answer is tried again, less and less often.
 *
 * Each wait has an end: where an upstream has answered nothing for too long, or says that it will
 * not for longer than that, it fails; and whatever else is wanted of it fails at once from then on.
 */

export interface PatienceOptions {
  /** Milliseconds to wait for quota, since the first refusal. */
  readonly forQuota: number;
  /** Milliseconds to wait for an upstream that does not answer, since it was first found so. */
  readonly forOutage: number;
}

export const usualPatience: PatienceOptions = { forQuota: 30 * 60_000, forOutage: 60_000 };

/** What tells the time and lets it pass; tests have another. */
export interface PatienceClock {
  /** Milliseconds, of a clock that never goes back. */
  now(): number;
  /** Settles after so many milliseconds, or with the signal. */
  sleep(wait: number, signal: AbortSignal): Promise<void>;
}

const realClock: PatienceClock = {
  now: () => performance.now(),
  sleep: (wait, signal) => delay(wait, undefined, { signal }).catch(() => undefined),
};

/** Attempts at one thing that others of the same upstream get along without. */
const maxAttempts = 8;

/** How often a budget is looked at, in milliseconds: quota may come back early. */
const nap = 5_000;

/** Asks upstreams, one run long, with the patience of somebody who has time. */
export class Patience {
  readonly #options: PatienceOptions;
  readonly #tell: (wait: WarmWaiting) => void;
  readonly #signal: AbortSignal;
  readonly #clock: PatienceClock;
  /** Since when those that gave no answer last give none; by the clock. */
  readonly #failingSince = new Map<Upstream, number>();
  /** The end of the wait that was told of last. */
  readonly #toldUntil = new Map<Upstream, number>();

  constructor(
    options: PatienceOptions,
    tell: (wait: WarmWaiting) => void,
    signal: AbortSignal,
    clock: PatienceClock = realClock,
  ) {
    this.#clock = clock;
    this.#options = options;
    this.#tell = tell;
    this.#signal = signal;
  }

  /**
   * Waits as long as what is left of the upstream's quota is for clients.
   * @throws RegistryError TOOMANYREQUESTS where that takes too long; or the signal's reason
   */
  async forBudget(upstream: Upstream): Promise<void> {
    const started = this.#clock.now();
    for (;;) {
      this.#signal.throwIfAborted();
      const { stretch, until, remaining } = upstream.thrift;
      if (stretch === 1) return;
      const wait = Math.max(until - Date.now(), 100);
      if (this.#clock.now() + wait > started + this.#options.forQuota) {
        const seconds = Math.ceil(wait / 1000);
        throw new RegistryError(
          'TOOMANYREQUESTS',
          `what is left of the quota of ${upstream.name} (${remaining ?? 0} requests) is kept for clients for another ${seconds} s`,
          { retryAfter: seconds },
        );
      }
      this.#tellOnce(upstream, wait, 'budget');
      await this.#clock.sleep(Math.min(wait, nap), this.#signal);
    }
  }

  /**
   * Asks an upstream for something until there is an answer.
   * @throws RegistryError an answer that is no, at once; the last failure where there was none for
   *   too long; or the signal's reason, at once, whatever becomes of the question
   */
  async ask<T>(upstream: Upstream, question: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      this.#signal.throwIfAborted();
      try {
        const answer = await untilAborted(question(), this.#signal);
        this.#failingSince.delete(upstream);
        return answer;
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!isWorthWaiting(error)) {
          this.#failingSince.delete(upstream);
          throw error;
        }
        const wait = Math.max(backOff(attempt), (error.retryAfter ?? 0) * 1000);
        const isLimit = error.code === 'TOOMANYREQUESTS';
        if (!isLimit && attempt >= maxAttempts) throw error;
        const { forQuota, forOutage } = this.#options;
        const since = this.#failingSince.get(upstream) ?? this.#clock.now();
        this.#failingSince.set(upstream, since);
        const end = since + (isLimit ? forQuota : forOutage);
        if (this.#clock.now() + wait > end) throw error;
        this.#tellOnce(upstream, wait, isLimit ? 'rate-limit' : 'unavailable');
        await this.#clock.sleep(wait, this.#signal);
      }
    }
  }

  /** A moment, before something is looked at again. Rejects with the signal's reason. */
  async pause(): Promise<void> {
    await this.#clock.sleep(1_000, this.#signal);
    this.#signal.throwIfAborted();
  }

  /** Many may wait for the same. */
  #tellOnce(upstream: Upstream, wait: number, reason: WarmWaiting['reason']): void {
    const now = this.#clock.now();
    if (now < (this.#toldUntil.get(upstream) ?? -Infinity)) return;
    this.#toldUntil.set(upstream, now + wait);
    const seconds = Math.ceil(wait / 1000);
    this.#tell({ kind: 'waiting', upstream: upstream.name, seconds, reason });
  }
}

/** Milliseconds before the attempt after the n-th. */
function backOff(attempt: number): number {
  return Math.min(500 * 2 ** (attempt - 1), 30_000);
}

/** Whether there was no answer: it has not said no. */
function isWorthWaiting(error: unknown): error is RegistryError {
  return isRegistryError(error, 'TOOMANYREQUESTS', 'UPSTREAM_UNAVAILABLE', 'UPSTREAM_TIMEOUT');
}
