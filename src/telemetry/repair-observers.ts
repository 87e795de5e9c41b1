import type { ScrubObserver } from '../store/scrub.ts';
import type { WithdrawObserver } from '../store/withdraw.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { Occasional } from './occasional.ts';

/** Milliseconds between two log lines about the same trouble. */
const quiet = 10_000;

/** Counts and logs stored blobs that turned out to be wrong: each is told, for each is the disk's fault. */
export function createWithdrawObserver({ repair }: Metrics, logger: Logger): WithdrawObserver {
  return {
    quarantined({ digest, finder, detail }) {
      repair.quarantined(finder);
      logger.error('a stored blob was wrong and is in quarantine; it is fetched again on demand', {
        digest,
        finder,
        detail,
      });
    },
    notQuarantined({ digest, finder, detail }, error) {
      logger.error('a stored blob is wrong and could not be moved into quarantine', {
        digest,
        finder,
        detail,
        error,
      });
    },
  };
}

/** Counts and logs what the scrub does. */
export function createScrubObserver({ repair }: Metrics, logger: Logger): ScrubObserver {
  const occasional = new Occasional(quiet);
  return {
    read: (bytes) => repair.scrubRead(bytes),
    verified: () => repair.scrubVerified(),
    failed(name, error) {
      repair.scrubFailed();
      const held = occasional.admit('scrub');
      if (held === undefined) return;
      logger.warn('the scrub could not read what is stored', {
        name,
        error,
        ...(held > 0 && { suppressed: held }),
      });
    },
    passEnded(at) {
      repair.scrubPassEnded(at);
      logger.info('the scrub has read all that is stored');
    },
  };
}
