import { isRegistryError, type ErrorCode, type RegistryError } from '../oci/errors.ts';

/*
 * Whether somebody is asked at all. A registry that is down, or that has had enough of us, is left
 * alone for a while that grows; then a single request finds out whether it is back. What is cached
 * is served meanwhile without waiting, and what is not gets an honest answer at once.
 *
 * closed: everyone may ask. open: nobody, until the wait is over. half-open: it is over, and one may.
 *
 * Pure: it reads no clock, and its chance is given.
 */

/** When a breaker opens, and for how long; times in milliseconds. */
export interface BreakerPolicy {
  /** Failures in a row that open it. One request may meet a fault of its own; this many do not. */
  readonly failures: number;
  /** The first wait. Each further one is twice as long as the last. */
  readonly firstWait: number;
  /** No wait grows beyond. */
  readonly longestWait: number;
  /** Not even one who asks for more (`Retry-After`) is left alone for longer. */
  readonly longestRetryAfter: number;
}

export const defaultBreakerPolicy: BreakerPolicy = {
  failures: 3,
  firstWait: 1_000,
  longestWait: 60_000,
  longestRetryAfter: 3_600_000,
};

/** Milliseconds to come back in, while one request is finding out. */
const probeWait = 1_000;

/** Leave to ask. To be given back with how it went. */
export interface Admission {
  /** Of the breaker's state at the time: what an older one reports is no news. */
  readonly era: number;
  /** This request finds out for all others. */
  readonly isProbe: boolean;
}

/** No leave to ask, for this reason and so many milliseconds. */
export interface Refusal {
  readonly failure: RegistryError;
  readonly wait: number;
}

/** How a breaker stands, for those who look on. */
export interface BreakerStatus {
  readonly state: 'closed' | 'open' | 'half-open';
  /** In a row, up to now. */
  readonly failures: number;
  /** Milliseconds until the next request may find out; 0 unless it is open. */
  readonly wait: number;
  /** The last failure of the row. */
  readonly failure: ErrorCode | undefined;
}

/** A circuit breaker: of one URL of an upstream, of one credential there, or of a host that it redirects to. */
export class Breaker {
  readonly #policy: BreakerPolicy;
  readonly #random: () => number;
  readonly #isPlain: (failure: RegistryError) => boolean;
  #era = 0;
  /** In a row. */
  #failures = 0;
  /** Times it opened since it was last closed. */
  #openings = 0;
  #last: RegistryError | undefined;
  #isOpen = false;
  #openUntil = 0;
  #isProbing = false;

  /**
   * @param random from 0 to 1, so that many Baleens do not come back at once
   * @param isPlain whether one such failure is enough to open it
   */
  constructor(
    policy: BreakerPolicy = defaultBreakerPolicy,
    random: () => number = Math.random,
    isPlain: (failure: RegistryError) => boolean = isLimitOrTimeout,
  ) {
    this.#policy = policy;
    this.#random = random;
    this.#isPlain = isPlain;
  }

  /** Whether nobody may ask, or just one. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Of the row of failures, the last; undefined where there is none. */
  get lastFailure(): RegistryError | undefined {
    return this.#last;
  }

  /** @param now milliseconds of a clock that never goes back */
  status(now: number): BreakerStatus {
    const wait = this.#isOpen ? Math.max(0, this.#openUntil - now) : 0;
    const state = !this.#isOpen ? 'closed' : wait > 0 ? 'open' : 'half-open';
    return { state, failures: this.#failures, wait, failure: this.#last?.code };
  }

  /**
   * Asks for leave.
   * @param now milliseconds of a clock that never goes back
   */
  admit(now: number): Admission | Refusal {
    if (this.#isOpen && this.#last !== undefined) {
      if (now < this.#openUntil) return { failure: this.#last, wait: this.#openUntil - now };
      if (this.#isProbing) return { failure: this.#last, wait: probeWait };
      this.#isProbing = true;
    }
    return { era: this.#era, isProbe: this.#isOpen };
  }

  /** There was an answer. True where that closes the breaker. */
  succeeded({ era }: Admission): boolean {
    if (era !== this.#era) return false;
    this.#failures = 0;
    this.#last = undefined;
    if (!this.#isOpen) return false;
    this.#era++;
    this.#openings = 0;
    this.#isOpen = false;
    this.#isProbing = false;
    return true;
  }

  /** There was none, or a refusal. The wait in milliseconds where that opens the breaker, again or for the first time. */
  failed({ era }: Admission, failure: RegistryError, now: number): number | undefined {
    if (era !== this.#era) return undefined;
    this.#failures++;
    this.#last = failure;
    if (!this.#isOpen && this.#failures < this.#policy.failures && !this.#isPlain(failure)) {
      return undefined;
    }
    const wait = this.#nextWait(failure);
    this.#era++;
    this.#openings++;
    this.#isOpen = true;
    this.#openUntil = now + wait;
    this.#isProbing = false;
    return wait;
  }

  /** Whoever asked learnt nothing: it gave up before there was an answer, or the fault was our own. */
  abandoned({ era }: Admission): void {
    if (era === this.#era) this.#isProbing = false;
  }

  #nextWait({ retryAfter }: RegistryError): number {
    const grown = backOff(this.#policy, this.#openings, this.#random);
    if (retryAfter === undefined) return grown;
    return Math.max(grown, Math.min(retryAfter * 1000, this.#policy.longestRetryAfter));
  }
}

/**
 * The wait after so many others, in milliseconds, spread by a fifth either way.
 * @param random from 0 to 1
 */
export function backOff(policy: BreakerPolicy, waited: number, random: () => number): number {
  const grown = Math.min(policy.firstWait * 2 ** waited, policy.longestWait);
  return Math.round(grown * (0.8 + 0.4 * random()));
}

/** One such answer leaves no doubt: to ask again would cost quota, or as long a wait. */
function isLimitOrTimeout(failure: RegistryError): boolean {
  return isRegistryError(failure, 'TOOMANYREQUESTS', 'UPSTREAM_TIMEOUT');
}
