import { isRegistryError, type RegistryError } from '../oci/errors.ts';

/*
 * Whether a registry is asked at all. One that is down, or that has had enough of us, is left
 * alone for a while that grows; then a single request finds out whether it is back. What is cached
 * is served meanwhile without waiting, and what is not gets an honest answer at once.
 *
 * Pure: it reads no clock, and its chance is given.
 */

/** Failures in a row that open it. One request may meet a fault of its own; this many do not. */
const tolerated = 3;

/** Milliseconds of the first wait. Each further one is twice as long as the last. */
const firstWait = 1_000;

/** Milliseconds; no wait grows beyond. */
const longestWait = 60_000;

/** Milliseconds; not even a registry that asks for more is left alone for longer. */
const longestRetryAfter = 3_600_000;

/** Milliseconds to come back in, while one request is finding out. */
const probeWait = 1_000;

/** Leave to ask. To be given back with how it went. */
export interface Admission {
  /** Of the breaker's state at the time: what an older one reports is no news. */
  readonly era: number;
}

/** No leave to ask, for this reason and so many milliseconds. */
export interface Refusal {
  readonly failure: RegistryError;
  readonly wait: number;
}

/** The circuit breaker of one URL of an upstream, and so of the credentials that are used there. */
export class Breaker {
  readonly #random: () => number;
  #era = 0;
  #failures = 0;
  /** Times it opened since it was last closed. */
  #openings = 0;
  #failure: RegistryError | undefined;
  #openUntil = 0;
  #isProbing = false;

  /** @param random from 0 to 1, so that many Baleens do not come back at once */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  get isOpen(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * Asks for leave.
   * @param now milliseconds of a clock that never goes back
   */
  admit(now: number): Admission | Refusal {
    if (this.#failure !== undefined) {
      if (now < this.#openUntil) return { failure: this.#failure, wait: this.#openUntil - now };
      if (this.#isProbing) return { failure: this.#failure, wait: probeWait };
      this.#isProbing = true;
    }
    return { era: this.#era };
  }

  /** The registry answered. True where that closes the breaker. */
  succeeded({ era }: Admission): boolean {
    if (era !== this.#era) return false;
    this.#failures = 0;
    if (this.#failure === undefined) return false;
    this.#era++;
    this.#openings = 0;
    this.#failure = undefined;
    this.#isProbing = false;
    return true;
  }

  /** The registry failed. The wait in milliseconds where that opens the breaker, again or for the first time. */
  failed({ era }: Admission, failure: RegistryError, now: number): number | undefined {
    if (era !== this.#era) return undefined;
    this.#failures++;
    if (this.#failure === undefined && this.#failures < tolerated && !isPlain(failure)) {
      return undefined;
    }
    const wait = this.#nextWait(failure);
    this.#era++;
    this.#openings++;
    this.#failures = 0;
    this.#failure = failure;
    this.#openUntil = now + wait;
    this.#isProbing = false;
    return wait;
  }

  /** Whoever asked gave up before there was an answer. */
  abandoned({ era }: Admission): void {
    if (era === this.#era) this.#isProbing = false;
  }

  #nextWait({ retryAfter }: RegistryError): number {
    const grown = Math.min(firstWait * 2 ** this.#openings, longestWait);
    const jittered = Math.round(grown * (0.8 + 0.4 * this.#random()));
    if (retryAfter === undefined) return jittered;
    return Math.max(jittered, Math.min(retryAfter * 1000, longestRetryAfter));
  }
}

/** One such answer leaves no doubt: to ask again would cost quota, or as long a wait. */
function isPlain(failure: RegistryError): boolean {
  return isRegistryError(failure, 'TOOMANYREQUESTS', 'UPSTREAM_TIMEOUT');
}
