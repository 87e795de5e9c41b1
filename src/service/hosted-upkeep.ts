import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config, HostedConfig } from '../config/config.ts';
import type { CollectionReport } from '../hosted/collection.ts';
import { Serial } from '../lib/serial.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import { collectHosted, lastRunFile, type HostedParts } from './hosted-collection.ts';
import type { Reloadable } from './reload.ts';

export interface HostedUpkeepOptions extends HostedParts {
  readonly config: HostedConfig;
  readonly observer: CollectionObserver;
}

/** Told of what comes of collections. */
export interface CollectionObserver {
  completed(report: CollectionReport, seconds: number): void;
  failed(error: unknown): void;
  /** Of one repository nothing was removed. */
  skipped(repository: QualifiedName, error: unknown): void;
}

/** Milliseconds. The start of a service is no time for more work. */
const settling = 5 * 60_000;
/** After a failure, unless the interval is shorter. */
const patience = 3_600_000;
/** The longest wait before looking at the configuration again. */
const longestWait = 60_000;

/** Runs collections of what was pushed, by the clock and when an operator asks: one at a time. */
export class HostedUpkeep implements Reloadable {
  readonly #options: HostedUpkeepOptions;
  readonly #serial = new Serial();
  #config: HostedConfig;
  #endedAt: number | undefined;
  #attemptedAt: number | undefined;

  constructor(options: HostedUpkeepOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** What holds now. */
  get config(): HostedConfig {
    return this.#config;
  }

  prepare({ hosted }: Config): () => void {
    return () => {
      this.#config = hosted;
    };
  }

  /**
   * Runs one when no other runs.
   * @throws where the record or the store cannot be read, or the signal's reason
   */
  collect(dryRun: boolean, signal: AbortSignal): Promise<CollectionReport> {
    return this.#serial.run(['collection'], async () => {
      const { observer } = this.#options;
      signal.throwIfAborted();
      const started = performance.now();
      try {
        const report = await collectHosted(
          this.#config,
          this.#options,
          (repository, error) => observer.skipped(repository, error),
          dryRun,
          signal,
        );
        if (dryRun) return report;
        this.#endedAt = Date.now();
        observer.completed(report, (performance.now() - started) / 1000);
        return report;
      } catch (error) {
        if (!signal.aborted && !dryRun) observer.failed(error);
        throw error;
      }
    });
  }

  /** Collects whenever it is time to; settles when the signal says stop. */
  async run(signal: AbortSignal): Promise<void> {
    const startedAt = Date.now();
    this.#endedAt = await readLastRun(lastRunFile(this.#options.layout));
    while (!signal.aborted) {
      const wait = dueIn({
        interval: this.#config.gc.interval,
        startedAt,
        endedAt: this.#endedAt,
        attemptedAt: this.#attemptedAt,
        now: Date.now(),
      });
      if (wait <= 0) {
        this.#attemptedAt = Date.now();
        // What it failed with was told.
        await this.collect(false, signal).catch(() => undefined);
        continue;
      }
      await delay(Math.min(wait, longestWait), undefined, { signal, ref: false }).catch(
        () => undefined,
      );
    }
  }
}

/** All in milliseconds, or milliseconds since the epoch. */
export interface CollectionTimes {
  /** 0 for never. */
  readonly interval: number;
  /** When this process began. */
  readonly startedAt: number;
  /** When a run was last completed, also by an earlier process. */
  readonly endedAt: number | undefined;
  /** When this process last began one of itself. */
  readonly attemptedAt: number | undefined;
  readonly now: number;
}

/** How long until the next run is due, in milliseconds; Infinity for never. */
export function dueIn({ interval, startedAt, endedAt, attemptedAt, now }: CollectionTimes): number {
  if (interval === 0) return Infinity;
  // A time ahead is that of a clock that was set back.
  const ended = endedAt === undefined || endedAt > now ? -Infinity : endedAt;
  const due = Math.max(
    startedAt + Math.min(settling, interval),
    ended + interval,
    (attemptedAt ?? -Infinity) + Math.min(patience, interval),
  );
  return due - now;
}

async function readLastRun(path: string): Promise<number | undefined> {
  try {
    const { endedAt } = JSON.parse(await readFile(path, 'utf8')) as { endedAt?: unknown };
    return typeof endedAt === 'number' ? endedAt : undefined;
  } catch {
    return undefined;
  }
}
