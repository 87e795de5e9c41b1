/*
 * How long to wait before what failed is tried again. Pure.
 */

export interface Backoff {
  /** Milliseconds after the first failure. */
  readonly first: number;
  /** No wait is longer. */
  readonly longest: number;
}

/**
 * Twice as long after each failure in a row, and spread over a half, so that many who failed
 * together do not come back together.
 * @param failures in a row, 1 at least
 * @param random from 0 to 1
 * @param asked milliseconds that the other side asks for (`Retry-After`); heeded up to the longest
 */
export function retryWait(
  { first, longest }: Backoff,
  failures: number,
  random: number,
  asked = 0,
): number {
  const most = Math.min(longest, first * 2 ** Math.min(failures - 1, 30));
  return Math.max(most * (0.5 + random / 2), Math.min(asked, longest));
}
