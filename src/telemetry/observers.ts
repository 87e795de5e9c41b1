import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { Occasional } from './occasional.ts';
import type { StoreMetrics } from './store-metrics.ts';
import type { UpstreamRequest } from './upstream-metrics.ts';

/** Milliseconds between two log lines about the same trouble. */
const quiet = 10_000;

/** Checks of an upstream's tags are put off, or no longer. */
interface ThriftChange {
  readonly upstream: string;
  /** 1 for not at all, Infinity for as long as it lasts. */
  readonly stretch: number;
  /** For how long at most. */
  readonly seconds: number | undefined;
  /** Requests left with the best credential. */
  readonly remaining: number | undefined;
}

/** A host of an upstream, or a credential there, is left alone, or asked again. */
interface BreakerChange {
  readonly upstream: string;
  /** Host and port. */
  readonly host: string;
  readonly credential: string | undefined;
  /** Seconds for which nothing is asked; undefined where it is asked. */
  readonly wait: number | undefined;
  readonly failure: Error | undefined;
}

/** What an upstream client tells of; has the shape of `UpstreamObserver` in `upstream`. */
export interface UpstreamEvents {
  request(event: UpstreamRequest & { readonly method: string }): void;
  thrift(event: ThriftChange): void;
  warning(event: { readonly upstream: string; readonly message: string }): void;
  breaker(event: BreakerChange): void;
}

/** Counts what the upstream clients tell, and logs their warnings now and then. */
export function createUpstreamObserver(metrics: Metrics, logger: Logger): UpstreamEvents {
  const occasional = new Occasional(quiet);
  return {
    request(event) {
      metrics.upstreamRequest(event);
      const { upstream, host, kind, method, status, seconds } = event;
      logger.debug('upstream request', { upstream, host, kind, method, status, seconds });
    },
    thrift({ upstream, stretch, seconds, remaining }) {
      if (seconds === undefined) {
        logger.info('the quota of the upstream is plenty again: tags are checked as configured', {
          upstream,
        });
        return;
      }
      const message =
        stretch === Infinity
          ? 'the quota of the upstream is used up: tags are served unchecked until there is more'
          : 'the quota of the upstream runs low: tags are checked less often';
      logger.warn(message, { upstream, remaining, seconds: Math.ceil(seconds) });
    },
    warning({ upstream, message }) {
      const held = occasional.admit(`${upstream} ${message}`);
      if (held === undefined) return;
      logger.warn(message, { upstream, ...(held > 0 && { suppressed: held }) });
    },
    breaker({ upstream, host, credential, wait, failure }) {
      const where = { upstream, host, ...(credential !== undefined && { credential }) };
      if (wait === undefined) {
        logger.info('the upstream answers again', where);
      } else {
        const seconds = Math.ceil(wait);
        logger.warn('the upstream is left alone for a while', {
          ...where,
          seconds,
          error: failure,
        });
      }
    },
  };
}

/** What the catalog tells of; has the shape of `CatalogObserver` in `catalog`. */
export interface CatalogEvents {
  error(event: { readonly operation: string; readonly error: unknown }): void;
  up(isUp: boolean): void;
}

/** Counts what the catalog survives, and logs it now and then. */
export function createCatalogObserver(metrics: Metrics, logger: Logger): CatalogEvents {
  const occasional = new Occasional(quiet);
  return {
    error({ operation, error }) {
      metrics.catalogFailed(operation);
      const held = occasional.admit(operation);
      if (held === undefined) return;
      logger.warn('the catalog had a failure and went on without', {
        operation,
        error,
        ...(held > 0 && { suppressed: held }),
      });
    },
    up(isUp) {
      metrics.catalogUp(isUp);
      if (isUp) logger.info('Redis is in use');
      else logger.warn('Redis is out of reach; the disk answers in its place');
    },
  };
}

/** What the store tells of; has the shape of `StoreObserver` in `store`. */
export interface StoreEvents {
  evicted(event: { readonly blobs: number; readonly bytes: number; readonly reason: string }): void;
  notEnough(bytes: number): void;
  diskFailed(operation: string, error: unknown): void;
  disk(state: string): void;
}

/** Counts what the store does on its own, and logs it; the disk's failures now and then. */
export function createStoreObserver(metrics: StoreMetrics, logger: Logger): StoreEvents {
  const occasional = new Occasional(quiet);
  return {
    evicted({ blobs, bytes, reason }) {
      metrics.evicted(reason, blobs, bytes);
      logger.info('blobs were evicted', { blobs, bytes, reason });
    },
    notEnough(bytes) {
      const held = occasional.admit('not enough');
      if (held === undefined) return;
      logger.warn('not enough could be evicted: what is left is in use or pinned', {
        missing: bytes,
        ...(held > 0 && { suppressed: held }),
      });
    },
    diskFailed(operation, error) {
      metrics.diskFailed(operation);
      const held = occasional.admit(`disk ${operation}`);
      if (held === undefined) return;
      logger.error('the disk refused; the service goes on without', {
        operation,
        error,
        ...(held > 0 && { suppressed: held }),
      });
    },
    disk(state) {
      metrics.disk(state);
      if (state === 'ok') logger.info('the disk takes bytes again');
      else
        logger.error('the disk is in trouble: images pass through without being kept', { state });
    },
  };
}
