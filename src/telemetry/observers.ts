import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { Occasional } from './occasional.ts';
import type { BreakerState, RateLimit, UpstreamRequest } from './upstream-metrics.ts';

/** Milliseconds between two log lines about the same trouble. */
const quiet = 10_000;

/** What an upstream client tells of; has the shape of `UpstreamObserver` in `upstream`. */
export interface UpstreamEvents {
  request(event: UpstreamRequest & { readonly method: string }): void;
  rateLimit(event: RateLimit & { readonly source: string | undefined }): void;
  warning(event: { readonly upstream: string; readonly message: string }): void;
  breaker(event: BreakerState & { readonly failure: Error | undefined }): void;
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
    rateLimit(event) {
      metrics.upstreamRateLimit(event);
      if (event.remaining !== 0 || occasional.admit(`ratelimit ${event.upstream}`) === undefined)
        return;
      logger.warn('the quota of the upstream is used up', { ...event });
    },
    warning({ upstream, message }) {
      const held = occasional.admit(`${upstream} ${message}`);
      if (held === undefined) return;
      logger.warn(message, { upstream, ...(held > 0 && { suppressed: held }) });
    },
    breaker(event) {
      metrics.upstreamBreaker(event);
      const { upstream, host, wait, failure } = event;
      if (wait === undefined) {
        logger.info('the upstream answers again', { upstream, host });
      } else {
        const seconds = Math.ceil(wait);
        logger.warn('the upstream is left alone for a while', {
          upstream,
          host,
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
