import type { TagRecord } from '../catalog/catalog.ts';
import { toRegistryError, type RegistryError } from '../oci/errors.ts';
import type { FreshnessPolicy } from './remote.ts';

/** Milliseconds for which a tag stays fresh; zero or less once it has to be checked. */
export function freshFor(record: TagRecord, ttl: number, now: number): number {
  return record.checkedAt + ttl - now;
}

/** What to do with a cached tag whose check failed. */
export type StaleDecision = 'serve' | 'forget' | 'fail';

/**
 * Stale beats broken, by the class of failure:
 * - network, timeout, 5xx, 429, offline, an answer that makes no sense: serve what is cached
 * - 404: the tag is gone, unless the operator wants it kept
 * - 401, 403: serve, loudly: access may have been lost by mistake
 * and none of it longer than `staleIfError` after the last confirmation. Offline by
 * configuration is no failure and has no such end.
 */
export function onFailedCheck(
  record: TagRecord,
  error: RegistryError,
  policy: FreshnessPolicy,
  now: number,
): StaleDecision {
  switch (error.code) {
    case 'UPSTREAM_OFFLINE':
      return 'serve';
    case 'MANIFEST_UNKNOWN':
    case 'NAME_UNKNOWN':
      return policy.keepDeleted ? 'serve' : 'forget';
    case 'UPSTREAM_DENIED':
    case 'UPSTREAM_INVALID':
    case 'UPSTREAM_TIMEOUT':
    case 'UPSTREAM_UNAVAILABLE':
    case 'TOOMANYREQUESTS':
      return now - record.checkedAt <= policy.staleIfError ? 'serve' : 'fail';
    default:
      return 'fail';
  }
}

/** Whether a failure is the upstream's, so that what is cached may stand in. */
export function isUpstreamFailure(error: unknown): boolean {
  const { code } = toRegistryError(error);
  return code.startsWith('UPSTREAM_') || code === 'TOOMANYREQUESTS';
}
