import type { HostedManifestObserver } from '../hosted/hosted-manifests.ts';
import type { UploadObserver } from '../hosted/upload-observer.ts';
import type { ScrubObserver } from '../store/scrub.ts';
import type { WithdrawObserver } from '../store/withdraw.ts';
import type { HostedMetrics } from './hosted-metrics.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { Occasional } from './occasional.ts';
import type { StoreMetrics } from './store-metrics.ts';
import type { StoreEvents } from './observers.ts';
import { createScrubObserver } from './repair-observers.ts';

/** Milliseconds between two log lines about the same trouble. */
const quiet = 10_000;

/** Counts what is pushed, and logs what goes wrong with it. */
export function createUploadObserver(metrics: HostedMetrics, logger: Logger): UploadObserver {
  const occasional = new Occasional(quiet);
  return {
    received: (bytes) => metrics.received(bytes),
    ended: (result) => metrics.uploadEnded(result),
    mounted: (source) => metrics.mounted(source),
    leftBehind(error) {
      const held = occasional.admit('left behind');
      if (held === undefined) return;
      logger.warn('what is left of an upload could not be looked at, or removed', {
        error,
        ...(held > 0 && { suppressed: held }),
      });
    },
  };
}

/** Counts and logs what the store of what was pushed does; the disk's failures now and then. */
export function createHostedStoreObserver(metrics: StoreMetrics, logger: Logger): StoreEvents {
  const occasional = new Occasional(quiet);
  return {
    // Nothing is ever evicted.
    evicted() {},
    notEnough() {},
    diskFailed(operation, error) {
      metrics.diskFailed(operation);
      const held = occasional.admit(operation);
      if (held === undefined) return;
      logger.error('the disk refused what was pushed; the client was told so', {
        operation,
        error,
        ...(held > 0 && { suppressed: held }),
      });
    },
    disk(state) {
      if (state === 'ok') logger.info('the disk takes what is pushed again');
      else logger.error('the disk is in trouble: pushes fail', { state });
    },
  };
}

/** Counts and logs what the scrub does with what was pushed. */
export function createHostedScrubObserver(metrics: Metrics, logger: Logger): ScrubObserver {
  return {
    ...createScrubObserver(metrics, logger),
    passEnded(at) {
      metrics.hosted.scrubPassEnded(at);
      logger.info('the scrub has read all that was pushed');
    },
  };
}

/** Counts and logs what was pushed and turned out to be wrong: there is no other copy to fetch. */
export function createHostedWithdrawObserver(
  { repair }: Metrics,
  logger: Logger,
): WithdrawObserver {
  return {
    quarantined({ digest, finder, detail }) {
      repair.quarantined(finder);
      logger.error(
        'a blob that was pushed was wrong and is in quarantine: there is no other copy, push it again',
        { digest, finder, detail },
      );
    },
    notQuarantined({ digest, finder, detail }, error) {
      logger.error('a blob that was pushed is wrong and could not be moved into quarantine', {
        digest,
        finder,
        detail,
        error,
      });
    },
  };
}

/** Counts what was pushed and is lost, and logs it now and then: whoever pulls it asks again and again. */
export function createHostedManifestObserver(
  metrics: HostedMetrics,
  logger: Logger,
): HostedManifestObserver {
  const occasional = new Occasional(quiet);
  return {
    lost({ repository }, reference, digest) {
      metrics.manifestLost();
      const held = occasional.admit(digest);
      if (held === undefined) return;
      logger.error('a pushed manifest is lost or damaged; to push it again repairs it', {
        repository,
        reference,
        digest,
        ...(held > 0 && { suppressed: held }),
      });
    },
  };
}
