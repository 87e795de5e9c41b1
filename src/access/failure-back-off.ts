import { LRUCache } from 'lru-cache';

/*
 * Against guessing passwords: after some failures each further try has to wait, longer each time.
 * Counted by account and client address together, so that a stranger cannot lock an account's owner
 * out from elsewhere.
 */

/** How failures are answered. Times in milliseconds. */
export interface BackOffPolicy {
  /** Failures that cost nothing yet. */
  readonly allowed: number;
  readonly firstWait: number;
  /** Each wait is twice as long as the last, up to this. */
  readonly longestWait: number;
}

/** What is remembered of failed tries. */
export interface Failures {
  readonly count: number;
  /** Until when no further try is let through. */
  readonly until: number;
}

/** A try was let through, or has to wait. */
export interface Attempt {
  readonly failures: Failures;
  /** 0 where it may go on; else milliseconds. */
  readonly wait: number;
}

/**
 * Lets a try through, or not. It counts as failed until it is known to be right: otherwise a
 * thousand of them at once would count as one. After a quiet time as long as the longest wait all
 * is forgotten. Pure.
 */
export function attempt(
  failures: Failures | undefined,
  { allowed, firstWait, longestWait }: BackOffPolicy,
  now: number,
): Attempt {
  if (failures !== undefined && now < failures.until) {
    return { failures, wait: failures.until - now };
  }
  const isForgotten = failures === undefined || now >= failures.until + longestWait;
  const count = isForgotten ? 1 : failures.count + 1;
  const steps = count - allowed - 1;
  const pause = steps < 0 ? 0 : Math.min(longestWait, firstWait * 2 ** Math.min(steps, 40));
  return { failures: { count, until: now + pause }, wait: 0 };
}

/** Accounts and addresses that are remembered; those whose last failure is the longest ago go first. */
const remembered = 10_000;

/** Remembers who has failed. */
export class FailureBackOff {
  readonly #policy: BackOffPolicy;
  readonly #now: () => number;
  readonly #failures = new LRUCache<string, Failures>({ max: remembered });

  /** @param now milliseconds of a clock that never goes back */
  constructor(policy: BackOffPolicy, now: () => number = () => performance.now()) {
    this.#policy = policy;
    this.#now = now;
  }

  /** Milliseconds that a try has to wait; 0 where it may go on. Counts nothing. */
  waitOf(account: string, client: string): number {
    const failures = this.#failures.get(keyOf(account, client));
    return failures === undefined ? 0 : Math.max(0, failures.until - this.#now());
  }

  /**
   * Counts a try.
   * @returns milliseconds that it has to wait; 0 where it may go on
   */
  attempt(account: string, client: string): number {
    const key = keyOf(account, client);
    const { failures, wait } = attempt(this.#failures.get(key), this.#policy, this.#now());
    this.#failures.set(key, failures);
    return wait;
  }

  /** A try was right: all is forgiven. */
  succeeded(account: string, client: string): void {
    this.#failures.delete(keyOf(account, client));
  }
}

/** A client may send names of any length. */
function keyOf(account: string, client: string): string {
  return `${client} ${account.slice(0, 256)}`;
}
