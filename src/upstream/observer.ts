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

/** The quota of an upstream's best credential fell under the floor, ran out, or is plenty again. */
export interface ThriftEvent {
  readonly upstream: string;
  /** By how much checks of tags are put off: 1 for not at all, Infinity for as long as it lasts. */
  readonly stretch: number;
  /** For how long at most; undefined where nothing is put off. */
  readonly seconds: number | undefined;
  /** Requests left with the best credential; undefined where nothing is put off. */
  readonly remaining: number | undefined;
}

/** Something an operator should read; never holds a secret. */
export interface WarningEvent {
  readonly upstream: string;
  readonly message: string;
}

/** A URL of an upstream, a credential there, or a host that it redirects to is left alone for a while, or asked again. */
export interface BreakerEvent {
  readonly upstream: string;
  /** Host and port. */
  readonly host: string;
  /** Its label, where it is about a credential alone. */
  readonly credential: string | undefined;
  /** Seconds for which nothing is asked; undefined once it answers again. */
  readonly wait: number | undefined;
  /** Why. */
  readonly failure: Error | undefined;
}

/** Told of everything that an upstream client does; implemented by the telemetry. Must not throw. */
export interface UpstreamObserver {
  request(event: RequestEvent): void;
  thrift(event: ThriftEvent): void;
  warning(event: WarningEvent): void;
  breaker(event: BreakerEvent): void;
}

/** Listens to nothing. */
export const silentObserver: UpstreamObserver = {
  request() {},
  thrift() {},
  warning() {},
  breaker() {},
};
