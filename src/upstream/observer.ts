/** What a request upstream was for. */
export type RequestKind = 'token' | 'manifest' | 'blob' | 'tags' | 'referrers' | 'ping';

/** One HTTP request, ended by its answer's headers or by a failure. Each hop of a redirect counts. */
export interface RequestEvent {
  readonly upstream: string;
  /** Host and port, as written in the URL. */
  readonly host: string;
  readonly kind: RequestKind;
  readonly method: string;
  readonly status: number | 'timeout' | 'network';
  /** Until the headers were in, or the failure known. */
  readonly seconds: number;
}

/** The quota that a registry tells of in its answers. */
export interface RateLimitEvent {
  readonly upstream: string;
  /** Requests per window. */
  readonly limit: number | undefined;
  /** Requests left in the window. */
  readonly remaining: number | undefined;
  /** Seconds. */
  readonly window: number | undefined;
  /** Whom the registry counts: an address or an account. */
  readonly source: string | undefined;
}

/** Something an operator should read; never holds a secret. */
export interface WarningEvent {
  readonly upstream: string;
  readonly message: string;
}

/** A URL of an upstream is left alone for a while, or is asked again. */
export interface BreakerEvent {
  readonly upstream: string;
  /** Host and port. */
  readonly host: string;
  /** Seconds for which nothing is asked; undefined once it answers again. */
  readonly wait: number | undefined;
  /** Why. */
  readonly failure: Error | undefined;
}

/** Told of everything that an upstream client does; implemented by the telemetry. Must not throw. */
export interface UpstreamObserver {
  request(event: RequestEvent): void;
  rateLimit(event: RateLimitEvent): void;
  warning(event: WarningEvent): void;
  breaker(event: BreakerEvent): void;
}

/** Listens to nothing. */
export const silentObserver: UpstreamObserver = {
  request() {},
  rateLimit() {},
  warning() {},
  breaker() {},
};
