import { isRegistryError } from '../oci/errors.ts';

/* What to do about a transfer that broke: decided here, done in download.ts. */

/** Milliseconds before the attempt after the n-th failure in a row. */
const backoff = (failures: number): number => Math.min(100 * 2 ** (failures - 1), 5_000);

/** Whether a blob's size agrees with the one that was `known`, and with the bytes that are there already. */
export function fits(size: number, known: number | undefined, spooled: number): boolean {
  return spooled <= size && (known === undefined || known === size);
}

/** Bytes in one attempt that ran into a deadline; less is a trickle, not a line that is worth waiting for. */
const trickle = 32_768;

/** Whether an attempt brought enough for the blob's clients to be kept waiting for another. */
export function isProgress(gained: number, error: unknown): boolean {
  return gained >= (isRegistryError(error, 'UPSTREAM_TIMEOUT') ? trickle : 1);
}

/** Milliseconds to wait before another attempt; undefined where the answer was a plain no. */
export function pauseAfter(error: unknown, failures: number): number | undefined {
  if (!isRegistryError(error)) return undefined;
  switch (error.code) {
    case 'UPSTREAM_UNAVAILABLE':
    case 'UPSTREAM_TIMEOUT':
    case 'UPSTREAM_INVALID':
    case 'TOOMANYREQUESTS':
      return Math.max(backoff(failures), (error.retryAfter ?? 0) * 1000);
    default:
      return refusesRange(error) ? backoff(failures) : undefined;
  }
}

/** Whether a request for the rest of a blob got an answer that one for the whole might not get. */
export function refusesRange(error: unknown): boolean {
  if (!isRegistryError(error)) return false;
  const { code, upstreamStatus } = error;
  if (code === 'UPSTREAM_INVALID') return true;
  return upstreamStatus !== undefined && ![401, 404, 429].includes(upstreamStatus);
}
