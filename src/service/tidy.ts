import { setTimeout as delay } from 'node:timers/promises';
import { removeAbandonedImports, stagingTtl } from '../bundle/abandoned-imports.ts';
import type { Layout } from '../store/layout.ts';
import { leftoverAge, removeLeftovers } from '../store/leftovers.ts';
import type { Logger } from '../telemetry/logger.ts';

/**
 * Clears away now and then what a crash left behind, and imports that nobody goes on with; settles when the
 * signal says stop.
 */
export async function tidy(layout: Layout, logger: Logger, signal: AbortSignal): Promise<void> {
  for (;;) {
    await delay(leftoverAge, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const count = await removeLeftovers(layout, Date.now() - leftoverAge);
      if (count > 0) logger.info('what a crash left behind was removed', { files: count });
      const imports = await removeAbandonedImports(layout.root, Date.now() - stagingTtl);
      if (imports > 0) logger.info('imports that nobody went on with were removed', { imports });
    } catch (error) {
      logger.warn('what a crash left behind could not be removed; tried again later', { error });
    }
  }
}
