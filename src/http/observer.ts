import type { RegistryError } from '../oci/errors.ts';
import type { RequestContext } from './request-context.ts';

/** A request that has ended, for the access line and the metrics. */
export interface RequestSummary {
  readonly context: RequestContext;
  readonly method: string;
  /** Path and query as sent. */
  readonly path: string;
  readonly status: number;
  readonly remote: string | undefined;
  readonly userAgent: string | undefined;
  readonly durationMs: number;
}

/** Told of requests; telemetry implements it. */
export interface HttpObserver {
  requestEnded(summary: RequestSummary): void;
  /** A failure that is ours or an upstream's (5xx), or one that broke an answer underway. */
  requestFailed(context: RequestContext, error: RegistryError): void;
}
