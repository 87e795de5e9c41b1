import type { ErrorCode } from '../oci/errors.ts';
import type { AccountStatus } from './accounts.ts';
import type { BreakerStatus } from './breaker.ts';

/** How an upstream stands, for the operator. Durations are seconds; no secrets. */
export interface UpstreamStatus {
  readonly name: string;
  /** By configuration: nothing is asked, ever. */
  readonly offline: boolean;
  /** Checks of tags: as configured, put off, or none at all while no quota is left. */
  readonly revalidation: 'normal' | 'stretched' | 'suspended';
  readonly urls: readonly UrlStatus[];
  /** Hosts that it redirects to, such as its CDN, and that failed of late. */
  readonly redirects: readonly { readonly host: string; readonly breaker: BreakerReport }[];
}

export interface UrlStatus {
  readonly url: string;
  /** Host and port. */
  readonly host: string;
  readonly breaker: BreakerReport;
  readonly credentials: readonly CredentialStatus[];
}

export interface CredentialStatus {
  /** A user's name, `credential-N` where there is none before it is used, or `anonymous`. */
  readonly credential: string;
  /** Requests in a window; null where the registry does not say, or its word has lapsed. */
  readonly limit: number | null;
  readonly remaining: number | null;
  readonly window: number | null;
  /** Whom the registry counts. */
  readonly source: string | null;
  readonly breaker: BreakerReport;
}

export interface BreakerReport {
  readonly state: BreakerStatus['state'];
  /** In a row. */
  readonly failures: number;
  /** Until a request may find out; 0 unless it is open. */
  readonly next_probe: number;
  readonly last_failure: ErrorCode | null;
}

/** A breaker in whole seconds. */
export function reportBreaker({ state, failures, wait, failure }: BreakerStatus): BreakerReport {
  return { state, failures, next_probe: Math.ceil(wait / 1000), last_failure: failure ?? null };
}

/** A credential with what its registry last said of it. */
export function reportAccount({ label, budget, breaker }: AccountStatus): CredentialStatus {
  return {
    credential: label,
    limit: budget?.limit ?? null,
    remaining: budget?.remaining ?? null,
    window: budget?.window ?? null,
    source: budget?.source ?? null,
    breaker: reportBreaker(breaker),
  };
}
