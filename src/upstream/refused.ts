import { RegistryError } from '../oci/errors.ts';
import type { Refusal } from './breaker.ts';

/**
 * What stands in for an answer while nothing is asked: the failure that is known, and when to come back.
 * @param host what is left alone, where that is not the upstream's own
 */
export function refused(
  upstream: string,
  host: string | undefined,
  { failure, wait }: Refusal,
): RegistryError {
  const seconds = Math.max(1, Math.ceil(wait / 1000));
  const code = failure.code === 'UPSTREAM_TIMEOUT' ? 'UPSTREAM_UNAVAILABLE' : failure.code;
  const who = host === undefined ? upstream : `${upstream}: ${host}`;
  const message = `${who} is not asked again for ${seconds} s: ${failure.message}`;
  return new RegistryError(code, message, {
    retryAfter: seconds,
    cause: failure,
    upstreamHost: host ?? failure.upstreamHost,
    ...(failure.upstreamStatus !== undefined && { upstreamStatus: failure.upstreamStatus }),
  });
}
