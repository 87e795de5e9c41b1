/*
 * A token bucket: so many tokens at most, refilled at an even rate; each event takes one. Pure: it
 * reads no clock.
 */

export interface Rate {
  /** Tokens that come in a millisecond. */
  readonly perMillisecond: number;
  /** Tokens that are there after a long rest: events that may come at once. */
  readonly burst: number;
}

/** What is left of a bucket, and when that was so. */
export interface Bucket {
  readonly tokens: number;
  /** Milliseconds of a clock that never goes back. */
  readonly at: number;
}

export interface Decision {
  readonly bucket: Bucket;
  /** 0 where a token was taken; else milliseconds until there is one. */
  readonly wait: number;
}

/** Takes one token where there is one. What was refused costs nothing. */
export function takeToken(bucket: Bucket | undefined, rate: Rate, now: number): Decision {
  const tokens = tokensAt(bucket, rate, now);
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, at: now }, wait: 0 };
  return { bucket: { tokens, at: now }, wait: (1 - tokens) / rate.perMillisecond };
}

/** Whether a bucket has nothing to tell: one that nobody remembers is full. */
export function isFull(bucket: Bucket | undefined, rate: Rate, now: number): boolean {
  return tokensAt(bucket, rate, now) >= rate.burst;
}

function tokensAt(
  bucket: Bucket | undefined,
  { burst, perMillisecond }: Rate,
  now: number,
): number {
  if (bucket === undefined) return burst;
  return Math.min(burst, bucket.tokens + Math.max(0, now - bucket.at) * perMillisecond);
}
