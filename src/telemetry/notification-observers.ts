import type { DropReason, EndpointObserver } from '../events/endpoint.ts';
import type { HoldObserver } from '../http/image-hold.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { Occasional } from './occasional.ts';

/** Milliseconds between two log lines about the same trouble: a receiver may be down for days. */
const quiet = 60_000;

const losses: Readonly<Record<DropReason, string>> = {
  full: 'an endpoint takes no events and its queue is full: the oldest were dropped',
  damaged: 'events in a queue were damaged and are lost',
  disk: 'events could not be written to the disk and are lost',
  refused: 'an endpoint refused an event, which is lost for it',
};

/** Counts what becomes of events, and logs trouble now and then. */
export function createNotificationObserver(
  { notifications: metrics }: Metrics,
  logger: Logger,
): EndpointObserver {
  const occasional = new Occasional(quiet);
  return {
    delivered: (endpoint, count) => metrics.delivered(endpoint, count),
    failed(endpoint, reason, wait) {
      metrics.failed(endpoint);
      const held = occasional.admit(`${endpoint} failed`);
      if (held === undefined) return;
      logger.warn('an endpoint did not take its events; they are sent again', {
        endpoint,
        reason,
        wait_ms: Math.ceil(wait),
        ...(held > 0 && { suppressed: held }),
      });
    },
    recovered(endpoint, failures) {
      logger.info('an endpoint takes events again', { endpoint, failures });
    },
    dropped(endpoint, count, reason, detail) {
      metrics.dropped(endpoint, count, reason);
      const held = occasional.admit(`${endpoint} ${reason}`);
      if (held === undefined) return;
      logger.error(losses[reason], {
        endpoint,
        events: count,
        ...(detail !== undefined && { error: detail }),
        ...(held > 0 && { suppressed: held }),
      });
    },
  };
}

/** Counts images that were held back, and logs each of them now and then: clients try for hours. */
export function createHoldObserver(
  { notifications: metrics }: Metrics,
  logger: Logger,
): HoldObserver {
  const occasional = new Occasional(quiet);
  return {
    held(repository, { digest }, { kind, message }) {
      metrics.held(kind);
      const held = occasional.admit(`${kind} ${digest}`);
      if (held === undefined) return;
      logger.warn('a pull was held back', {
        repository,
        digest,
        verdict: kind,
        reason: message,
        ...(held > 0 && { suppressed: held }),
      });
    },
  };
}
