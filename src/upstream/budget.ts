import type { RateLimit } from './rate-limit.ts';

/*
 * What a registry lets one credential ask for, as it last said. Knowledge of it lapses with its
 * window: from then on nothing is known again, which counts as plenty.
 *
 * Pure: times are milliseconds of a clock that never goes back.
 */

/** A quota as a registry told it. */
export interface Budget {
  /** Requests per window; undefined where the registry does not say. */
  readonly limit: number | undefined;
  /** Requests left in it. */
  readonly remaining: number | undefined;
  /** Seconds; undefined where the registry does not say. */
  readonly window: number | undefined;
  /** Whom the registry counts: an address or an account. */
  readonly source: string | undefined;
  readonly seenAt: number;
  /** When it is unknown again. */
  readonly until: number;
}

/** Milliseconds of a window whose length the registry keeps to itself. */
const assumedWindow = 3_600_000;

/** Milliseconds for which a quota is believed at most. */
const longestWindow = 86_400_000;

/** The budget that an answer's headers tell of. */
export function budgetOf(quota: RateLimit, now: number): Budget {
  const length = quota.window === undefined ? assumedWindow : quota.window * 1000;
  return { ...quota, seenAt: now, until: now + Math.min(length, longestWindow) };
}

/**
 * A budget after a 429 that said when to come back: what was known ends then.
 * @param retryAfter seconds
 */
export function limitedFor(budget: Budget, retryAfter: number, now: number): Budget {
  return { ...budget, until: Math.min(budget.until, now + retryAfter * 1000) };
}

/** The budget for as long as it is known. */
export function known(budget: Budget | undefined, now: number): Budget | undefined {
  return budget !== undefined && now < budget.until ? budget : undefined;
}

/** Requests left, for an order among credentials: unknown counts as plenty. */
export function remainingOf(budget: Budget | undefined, now: number): number {
  return known(budget, now)?.remaining ?? Infinity;
}
