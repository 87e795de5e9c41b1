import type { TagRecord } from '../catalog/catalog.ts';
import { isRegistryError, toRegistryError, type RegistryError } from '../oci/errors.ts';
import type { Thrift } from '../upstream/thrift.ts';
import type { FreshnessPolicy } from './remote.ts';

/** A time further ahead of the clock than this, in milliseconds, means that the clock was set back. */
const maxClockSkew = 5_000;

/**
 * Milliseconds for which something stays fresh; zero or less once it has to be checked.
 * @param confirmedAt when the upstream last said so, in milliseconds since the epoch
 */
export function freshFor(confirmedAt: number, ttl: number, now: number): number {
  return confirmedAt > now + maxClockSkew ? 0 : confirmedAt + ttl - now;
}

/**
 * Milliseconds for which a tag's check is put off to spare the upstream's quota; zero or less where
 * it is due. Only a tag that might be served stale anyway is spared, and no longer than that.
 */
export function sparedFor(
  confirmedAt: number,
  ttl: number,
  thrift: Thrift,
  staleIfError: number,
  now: number,
): number {
  if (thrift.stretch === 1 || confirmedAt > now + maxClockSkew) return 0;
  // A product of nothing and infinity is no number.
  const stretched = thrift.stretch === Infinity ? Infinity : ttl * thrift.stretch;
  return Math.min(confirmedAt + Math.min(stretched, staleIfError), thrift.until) - now;
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

/** Whether an upstream could not be asked at all: it has not said no. */
export function cannotBeAsked(error: unknown): boolean {
  return isRegistryError(
    error,
    'UPSTREAM_OFFLINE',
    'UPSTREAM_TIMEOUT',
    'UPSTREAM_UNAVAILABLE',
    'TOOMANYREQUESTS',
  );
}

/** Whether a failure is the upstream's, so that what is cached may stand in. */
export function isUpstreamFailure(error: unknown): boolean {
  const { code } = toRegistryError(error);
  return code.startsWith('UPSTREAM_') || code === 'TOOMANYREQUESTS';
}
