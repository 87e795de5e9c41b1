/**
 * How an answer came about; the access line, the metrics and `Cache-Status` all tell it.
 *
 * - `hit`: from the cache, no upstream involved
 * - `revalidated`: from the cache, after the upstream confirmed it
 * - `miss`: fetched from the upstream for this request
 * - `collapsed`: follows a fetch that another request started
 * - `stale`: from the cache, because the upstream could not be asked
 */
export type OutcomeKind = 'hit' | 'revalidated' | 'miss' | 'collapsed' | 'stale';

export interface Outcome {
  readonly kind: OutcomeKind;
  /** False where what was fetched was not kept, as for a HEAD. */
  readonly stored?: boolean;
  /** Seconds for which a tag stays fresh; negative once it is stale. */
  readonly ttl?: number;
  /** Seconds since the upstream last confirmed an answer that is no longer fresh. */
  readonly age?: number;
  /** Status with which the upstream refused, where it answered at all. */
  readonly fwdStatus?: number | undefined;
  /** The error code behind a stale answer; OFFLINE where nobody is asked, by the configuration. */
  readonly detail?: string;
  /** Milliseconds spent waiting for the upstream. */
  readonly upstreamMs?: number;
}

/** The plain hit, shared: the hot path allocates nothing for it. */
export const hit: Outcome = { kind: 'hit' };
