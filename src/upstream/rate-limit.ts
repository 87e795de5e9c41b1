import type { IncomingHttpHeaders } from 'node:http';

/** A registry's quota, as Docker Hub sends it: `ratelimit-limit: 100;w=21600`. */
export interface RateLimit {
  readonly limit: number | undefined;
  readonly remaining: number | undefined;
  /** Seconds. */
  readonly window: number | undefined;
  readonly source: string | undefined;
}

/** Reads the quota from an answer's headers; undefined where there is none, which means unlimited. */
export function parseRateLimit(headers: IncomingHttpHeaders): RateLimit | undefined {
  const limit = quota(headers['ratelimit-limit']);
  const remaining = quota(headers['ratelimit-remaining']);
  if (limit === undefined && remaining === undefined) return undefined;
  const source = headers['docker-ratelimit-source'];
  return {
    limit: limit?.count,
    remaining: remaining?.count,
    window: limit?.window ?? remaining?.window,
    source: typeof source === 'string' ? source.slice(0, 100) : undefined,
  };
}

function quota(
  header: string | string[] | undefined,
): { count: number; window: number | undefined } | undefined {
  const match = /^\s*(\d{1,15})\s*(?:;.*?\bw=(\d{1,15}))?/.exec(String(header ?? ''));
  if (match?.[1] === undefined) return undefined;
  return {
    count: Number(match[1]),
    window: match[2] === undefined ? undefined : Number(match[2]),
  };
}

/** Nothing sensible asks to wait longer, in seconds; a larger value is a mistake or a trap. */
const longestWait = 86_400;

/**
 * Reads Retry-After (RFC 9110, section 10.2.3), which is in seconds or an HTTP date.
 * @param now milliseconds since the epoch
 * @returns seconds, whole, from 0 to a day; undefined where there is no such header or it is malformed
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+$/.test(text)) return Math.min(Number(text), longestWait);
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined;
  const date = Date.parse(text);
  if (Number.isNaN(date)) return undefined;
  return Math.min(Math.max(Math.ceil((date - now) / 1000), 0), longestWait);
}
