import type { ScheduleObserver } from '../warm/schedule.ts';
import type { WarmEvent } from '../warm/warm-event.ts';
import type { Logger } from './logger.ts';
import { Occasional } from './occasional.ts';
import type { ScheduleMetrics } from './schedule-metrics.ts';

/** Milliseconds between two log lines about a disk that refuses. */
const quiet = 600_000;

/** Images in one log line. */
const mostNames = 20;

/** Counts and logs what schedules do: what happens in the night has to be found in the morning. */
export function createScheduleObserver(
  metrics: ScheduleMetrics,
  logger: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>,
): ScheduleObserver {
  const occasional = new Occasional(quiet);
  const told = (schedule: string, event: WarmEvent): void => {
    switch (event.kind) {
      case 'image':
        metrics.image(schedule, event.result, event.fetched_bytes);
        if (event.result === 'warmed') {
          const { image, fetched_bytes: bytes, fetched_blobs: blobs } = event;
          logger.info('an image was warmed by its schedule', { schedule, image, bytes, blobs });
        }
        break;
      case 'waiting': {
        const { upstream, seconds, reason } = event;
        logger.info('a scheduled run waits for an upstream', {
          schedule,
          upstream,
          seconds,
          reason,
        });
        break;
      }
      case 'notice':
        logger.warn('a scheduled run has something to say', { schedule, notice: event.message });
        break;
      default:
        break;
    }
  };
  return {
    started(schedule, missedAt) {
      const missed = missedAt === undefined ? {} : { missed: new Date(missedAt).toISOString() };
      logger.info('a scheduled run begins', { schedule, ...missed });
    },
    // With its cause it was logged where it happened.
    imageFailed: (schedule) => metrics.image(schedule, 'failed', 0),
    told,
    ended(schedule, report) {
      const { result, seconds, images, failed, code, message } = report;
      const { fetched_bytes, fetched_blobs, present_bytes } = report;
      metrics.run(schedule, result);
      const figures = { seconds, images, failed, fetched_bytes, fetched_blobs, present_bytes };
      const failures = report.failures.slice(0, mostNames).map((each) => each.image);
      if (result === 'completed') {
        logger.info('a scheduled run is done', { schedule, ...figures });
      } else if (result === 'incomplete') {
        logger.warn('a scheduled run is done, and some of its images failed', {
          schedule,
          ...figures,
          failures,
        });
      } else {
        logger.error('a scheduled run failed', { schedule, code, reason: message, ...figures });
      }
    },
    interrupted(schedule) {
      metrics.run(schedule, 'interrupted');
      logger.info('a scheduled run was stopped before its end', { schedule });
    },
    skipped(schedule, dueAt) {
      metrics.run(schedule, 'skipped');
      logger.warn('a scheduled run is skipped: the last one goes on, or still waits for its turn', {
        schedule,
        due: new Date(dueAt).toISOString(),
      });
    },
    recordFailed(schedule, error) {
      metrics.recordFailed();
      const held = occasional.admit('record');
      if (held === undefined) return;
      logger.warn('what schedules did, or clients pull, could not be written down or read', {
        ...(schedule !== '' && { schedule }),
        error,
        ...(held > 0 && { suppressed: held }),
      });
    },
  };
}
