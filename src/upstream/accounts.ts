import type { RegistryError } from '../oci/errors.ts';
import {
  backOff,
  Breaker,
  type Admission,
  type BreakerPolicy,
  type BreakerStatus,
  type Refusal,
} from './breaker.ts';
import { budgetOf, known, limitedFor, remainingOf, type Budget } from './budget.ts';
import type { RateLimit } from './rate-limit.ts';

/*
 * The credentials that may be used at one URL, each with its budget and its quota breaker. The one
 * with the most left is asked with first; one that got a 429 is left alone until it may be back.
 *
 * Whatever their number, they find out one at a time: where one request has just learnt that a
 * credential is still limited, the next such question waits, for a while that grows.
 *
 * Pure: its clock is given, in milliseconds, and never goes back.
 */

/** Leave to ask with one credential. To be given back with how it went. */
export interface Lease {
  /** Its place in the order of the file. */
  readonly index: number;
  readonly admission: Admission;
}

/** How one credential stands, for those who look on. */
export interface AccountStatus {
  readonly label: string;
  /** Undefined where nothing is known of it. */
  readonly budget: Budget | undefined;
  readonly breaker: BreakerStatus;
}

interface Account {
  readonly label: string;
  readonly breaker: Breaker;
  budget: Budget | undefined;
}

export class Accounts {
  readonly #accounts: readonly Account[];
  readonly #policy: BreakerPolicy;
  readonly #random: () => number;
  #isProbing = false;
  /** In a row. */
  #failedProbes = 0;
  #noProbeUntil = -Infinity;

  /**
   * @param labels of the credentials, in the order of the file
   * @param random from 0 to 1
   */
  constructor(
    labels: readonly string[],
    policy: BreakerPolicy,
    random: () => number = Math.random,
  ) {
    this.#accounts = labels.map((label) => ({
      label,
      breaker: new Breaker(policy, random),
      budget: undefined,
    }));
    this.#policy = policy;
    this.#random = random;
  }

  /**
   * Chooses the credential to ask with.
   * @param tried places of those that this request has asked with already
   * @returns undefined where it has with all
   */
  admit(now: number, tried: ReadonlySet<number>): Lease | Refusal | undefined {
    let soonest: Refusal | undefined;
    for (const index of this.#order(now)) {
      if (tried.has(index)) continue;
      const admission = this.#admit(index, now);
      if (!('wait' in admission)) return { index, admission };
      if (soonest === undefined || admission.wait < soonest.wait) soonest = admission;
    }
    return soonest;
  }

  /** The registry answered. True where it is asked again with this credential. */
  succeeded({ index, admission }: Lease): boolean {
    const closed = this.#breaker(index).succeeded(admission);
    if (closed) this.#failedProbes = 0;
    if (admission.isProbe) this.#isProbing = false;
    return closed;
  }

  /** It answered 429. The wait in milliseconds, where that is news. */
  limited({ index, admission }: Lease, failure: RegistryError, now: number): number | undefined {
    const account = this.#accounts[index];
    const { retryAfter } = failure;
    if (account?.budget !== undefined && retryAfter !== undefined) {
      account.budget = limitedFor(account.budget, retryAfter, now);
    }
    if (admission.isProbe) {
      this.#isProbing = false;
      this.#noProbeUntil = now + backOff(this.#policy, this.#failedProbes++, this.#random);
    }
    return this.#breaker(index).failed(admission, failure, now);
  }

  /** Nothing was learnt about the credential. */
  abandoned({ index, admission }: Lease): void {
    this.#breaker(index).abandoned(admission);
    if (admission.isProbe) this.#isProbing = false;
  }

  /** The registry told of a credential's quota. */
  heard(index: number, quota: RateLimit, now: number): void {
    const account = this.#accounts[index];
    if (account !== undefined) account.budget = budgetOf(quota, now);
  }

  /** Whether a 429 keeps every one of them from being used, or all but one that finds out. */
  get areAllLimited(): boolean {
    return this.#accounts.every(({ breaker }) => breaker.isOpen);
  }

  /** What is known of each credential's quota. */
  budgets(): readonly (Budget | undefined)[] {
    return this.#accounts.map(({ budget }) => budget);
  }

  status(now: number): readonly AccountStatus[] {
    return this.#accounts.map(({ label, budget, breaker }) => ({
      label,
      budget: known(budget, now),
      breaker: breaker.status(now),
    }));
  }

  #admit(index: number, now: number): Admission | Refusal {
    const breaker = this.#breaker(index);
    const { lastFailure } = breaker;
    if (lastFailure !== undefined && breaker.status(now).state === 'half-open') {
      const wait = this.#isProbing ? this.#policy.firstWait : this.#noProbeUntil - now;
      if (wait > 0) return { failure: lastFailure, wait };
    }
    const admission = breaker.admit(now);
    if (!('wait' in admission) && admission.isProbe) this.#isProbing = true;
    return admission;
  }

  #breaker(index: number): Breaker {
    const account = this.#accounts[index];
    if (account === undefined) throw new RangeError(`there is no credential ${index}`);
    return account.breaker;
  }

  /** Most left first; among equals as in the file. */
  #order(now: number): number[] {
    const left = this.#accounts.map(({ budget }) => remainingOf(budget, now));
    return [...left.keys()].toSorted((one, other) => {
      const a = left[one] ?? 0;
      const b = left[other] ?? 0;
      return a === b ? one - other : b > a ? 1 : -1;
    });
  }
}
