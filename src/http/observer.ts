import type { Digest } from '../oci/digest.ts';
import type { RegistryError } from '../oci/errors.ts';
import type { Tag } from '../oci/reference.ts';
import type { Route } from '../registry/resolve-route.ts';
import type { RequestContext } from './request-context.ts';
import type { RequestFacts } from './request-facts.ts';

/** A request that has ended, for the access line, the metrics, and whoever is told of pulls. */
export interface RequestSummary extends RequestFacts {
  readonly context: RequestContext;
  readonly status: number;
  readonly durationMs: number;
}

/** Told of requests; telemetry implements it. */
export interface HttpObserver {
  requestEnded(summary: RequestSummary): void;
  /** A failure that is ours or an upstream's (5xx), or one that broke an answer underway. */
  requestFailed(context: RequestContext, error: RegistryError): void;
}

/** A change of what is hosted. */
export interface ContentChange extends RequestFacts {
  readonly context: RequestContext;
  readonly action: 'push' | 'mount' | 'delete';
  readonly kind: 'manifest' | 'blob';
  readonly route: Route;
  /** Undefined only where a tag was deleted. */
  readonly digest: Digest | undefined;
  readonly tag?: Tag | undefined;
  readonly mediaType?: string | undefined;
  /** A manifest itself. */
  readonly bytes?: Buffer | undefined;
  /** Where a blob was mounted from. */
  readonly from?: Route | undefined;
}

/** Told of changes that are on disk, before they are acknowledged. */
export interface ChangeObserver {
  /** The acknowledgement waits for it. Never rejects. */
  changed(change: ContentChange): Promise<void>;
}
