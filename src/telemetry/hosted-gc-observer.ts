import type { CollectionReport } from '../hosted/collection.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { HostedGcMetrics } from './hosted-gc-metrics.ts';
import type { Logger } from './logger.ts';

/** Names in one log line. */
const mostNames = 100;

/** Counts and logs what is removed of what was pushed; has the shape of `CollectionObserver` in `service`. */
export function createCollectionObserver(
  metrics: HostedGcMetrics,
  logger: Pick<Logger, 'info' | 'error'>,
): {
  completed(report: CollectionReport, seconds: number): void;
  failed(error: unknown): void;
  skipped(repository: QualifiedName, error: unknown): void;
} {
  return {
    completed(report, seconds) {
      metrics.completed(report, seconds);
      const { repositories, tags, manifests, blobs, bytes, skipped } = report;
      // Most installations host nothing.
      if (repositories === 0 && blobs === 0) return;
      // There is no way back: whoever misses a tag has to find it here.
      for (let start = 0; start < tags.length; start += mostNames) {
        logger.info('tags were removed that hosted.rules do not keep', {
          tags: tags.slice(start, start + mostNames),
        });
      }
      logger.info('the collection of what was pushed is done', {
        seconds: Math.round(seconds * 1000) / 1000,
        repositories,
        tags: tags.length,
        manifests: manifests.length,
        blobs,
        bytes,
        ...(skipped.length > 0 && { skipped: skipped.length }),
      });
    },
    failed(error) {
      metrics.failed();
      logger.error('the collection of what was pushed failed; it is tried again later', { error });
    },
    skipped(repository, error) {
      logger.error(
        'a repository was left as it is: collecting it might remove what its unreadable parts need',
        { repository, error },
      );
    },
  };
}
