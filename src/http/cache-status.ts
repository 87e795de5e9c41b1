import type { RegistryError } from '../oci/errors.ts';
import type { Outcome } from '../registry/outcome.ts';

const plainHit = 'baleen; hit';

/** How an answer came about, as a `Cache-Status` field (RFC 9211). */
export function cacheStatus(outcome: Outcome): string {
  const { kind, ttl, fwdStatus, detail } = outcome;
  const lifetime = ttl === undefined ? '' : `; ttl=${ttl}`;
  switch (kind) {
    case 'hit':
      return plainHit + lifetime + (detail === undefined ? '' : `; detail=${detail}`);
    case 'revalidated':
      // The upstream was asked, and what is cached was still right.
      return `baleen; fwd=stale; fwd-status=200${lifetime}; detail=REVALIDATED`;
    case 'miss':
      return `baleen; fwd=miss${outcome.stored === false ? '' : '; stored'}${lifetime}`;
    case 'collapsed':
      return `baleen; fwd=miss; collapsed${lifetime}`;
    case 'stale': {
      const status = fwdStatus === undefined ? '' : `; fwd-status=${fwdStatus}`;
      return `baleen; fwd=stale${status}${lifetime}${detail ? `; detail=${detail}` : ''}`;
    }
  }
}

/** The same for an answer that is an error. */
export function errorCacheStatus(error: RegistryError): string {
  const { code, upstreamStatus } = error;
  const status = upstreamStatus === undefined ? '' : `; fwd=miss; fwd-status=${upstreamStatus}`;
  return `baleen${status}; detail=${code}`;
}
