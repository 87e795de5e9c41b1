import { known, type Budget } from './budget.ts';

/*
 * How sparing to be with an upstream's quota. While even the credential with the most left is under
 * the floor, what could wait does: checks of tags are put off, so that what is left serves misses.
 *
 * Pure: see budget.ts for its clock.
 */

/** Under which remainder thrift begins: a part of the limit, from 0 to 1, or so many requests. */
export type Floor = { readonly share: number } | { readonly count: number };

export interface ThriftPolicy {
  readonly floor: Floor;
  /** By how much the time for which a tag is served unasked counts longer, under the floor. */
  readonly stretch: number;
}

export const defaultThriftPolicy: ThriftPolicy = { floor: { share: 0.1 }, stretch: 10 };

/** How long checks of tags are put off. */
export interface Thrift {
  /** The factor to a tag's time to live: 1 for none, Infinity while nothing is left at all. */
  readonly stretch: number;
  /** Until when, at the latest; in the milliseconds of whoever gives it. */
  readonly until: number;
  /** Requests left with the best credential; undefined where nothing is put off. */
  readonly remaining: number | undefined;
}

/** Nothing is put off. */
export const noThrift: Thrift = { stretch: 1, until: 0, remaining: undefined };

/**
 * Judges the budgets of all credentials that may be asked with.
 * @returns until: when the first of them is unknown again
 */
export function thriftOf(
  budgets: readonly (Budget | undefined)[],
  policy: ThriftPolicy,
  now: number,
): Thrift {
  let best: Budget | undefined;
  let until = Infinity;
  for (const budget of budgets) {
    const current = known(budget, now);
    if (current?.remaining === undefined) return noThrift;
    if (best?.remaining === undefined || current.remaining > best.remaining) best = current;
    until = Math.min(until, current.until);
  }
  if (best?.remaining === undefined || !isUnderFloor(best.remaining, best.limit, policy.floor)) {
    return noThrift;
  }
  const { remaining } = best;
  return { stretch: remaining === 0 ? Infinity : policy.stretch, until, remaining };
}

function isUnderFloor(remaining: number, limit: number | undefined, floor: Floor): boolean {
  if (remaining === 0) return true;
  if ('count' in floor) return remaining < floor.count;
  return limit !== undefined && remaining < limit * floor.share;
}
