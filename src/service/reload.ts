import type { Config } from '../config/config.ts';
import { ConfigError, formatFault } from '../config/config-error.ts';
import type { Logger } from '../telemetry/logger.ts';
import { configChanges } from './config-changes.ts';
import { isOverHub, warnOfOpenDoor, warnOfShadows } from './open-door.ts';

/** A part of the service that follows the configuration while it runs. */
export interface Reloadable {
  /**
   * Builds what a configuration asks for, and changes nothing yet.
   * @returns puts it in force, and cannot fail
   * @throws where it cannot be had, such as a certificate that cannot be read
   */
  prepare(next: Config): () => void;
}

export interface ReloaderOptions {
  /** What the process was started with. */
  readonly started: Config;
  /** Reads the configuration as at the start. @throws ConfigError */
  readonly read: () => Config;
  readonly parts: readonly Reloadable[];
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly metrics: { configReloaded(succeeded: boolean): void };
}

/** Reads the configuration again while the service runs. All of it takes effect, or nothing. */
export class Reloader {
  readonly #options: ReloaderOptions;
  #current: Config;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#current = options.started;
  }

  /** What was read last and could be used. */
  get current(): Config {
    return this.#current;
  }

  /** Reads and applies it; where it cannot be used, what is in force stays so. Never throws. */
  reload(): void {
    const { read, parts, metrics } = this.#options;
    let next: Config;
    let commits: (() => void)[];
    try {
      next = read();
      commits = parts.map((part) => part.prepare(next));
    } catch (error) {
      metrics.configReloaded(false);
      this.#refuse(error);
      return;
    }
    for (const commit of commits) commit();
    metrics.configReloaded(true);
    this.#tell(next);
    this.#current = next;
  }

  #refuse(error: unknown): void {
    const { logger } = this.#options;
    if (error instanceof ConfigError) {
      for (const fault of error.faults) {
        logger.error('a fault in the configuration', { fault: formatFault(fault) });
      }
    }
    const summary = error instanceof ConfigError ? { faults: error.faults.length } : { error };
    logger.error('the configuration was not reloaded; the old one stays in force', summary);
  }

  #tell(next: Config): void {
    const { started, logger } = this.#options;
    const { applied, needsRestart } = configChanges(started, this.#current, next);
    logger.info('the configuration was reloaded', { changed: applied });
    if (needsRestart.length > 0) {
      logger.warn('these settings changed, too, but need a restart', { keys: needsRestart });
    }
    // Where it listens, and whether there are accounts, stays as it was at the start.
    const hadNothing = this.#current.hosted.repositories.length === 0;
    if (hadNothing) warnOfOpenDoor({ ...started, hosted: next.hosted }, logger);
    if (!isOverHub(this.#current)) warnOfShadows(next, logger);
  }
}
