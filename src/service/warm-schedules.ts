import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import { observedName, type WarmConfig } from '../config/warm-config.ts';
import type { OperationsApi } from '../http/operations-api.ts';
import type { Digest } from '../oci/digest.ts';
import type { ErrorCode } from '../oci/errors.ts';
import { maxManifestSize } from '../oci/manifest.ts';
import { parsePlatforms } from '../oci/platform.ts';
import type { Tag } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createScheduleObserver } from '../telemetry/schedule-observer.ts';
import { ObservedDays, type PullCount } from '../warm/observed-days.ts';
import { ObservedUse } from '../warm/observed-use.ts';
import type { ImageFailure } from '../warm/run-report.ts';
import { ScheduleRecord } from '../warm/schedule-record.ts';
import type { Clock, Schedule, ScheduleObserver } from '../warm/schedule.ts';
import { Scheduler } from '../warm/scheduler.ts';
import type { WarmEvent } from '../warm/warm-event.ts';
import { findTarget } from '../warm/warm-target.ts';
import type { WarmWishes } from '../warm/warm-wishes.ts';
import type { PullThrough } from './pull-through.ts';
import type { Reloadable } from './reload.ts';
import type { ScheduleReport } from './schedule-report.ts';
import { commonWishes, scheduledImages } from './scheduled-images.ts';
import type { Warming } from './warming.ts';

export interface WarmSchedulesOptions {
  readonly config: Config;
  readonly proxied: Pick<PullThrough, 'layout' | 'catalog' | 'store' | 'upstreams'>;
  /** Fetches images. */
  readonly warming: Pick<Warming, 'run'>;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Milliseconds between two times at which what clients pull is counted and written down. */
const countInterval = 60_000;

/** Milliseconds after the start before what was missed is made up for; not the same for all of a fleet. */
const settling = { least: 5_000, more: 10_000 };

const clock: Clock = {
  now: () => Date.now(),
  wait: (milliseconds, signal) =>
    delay(milliseconds, undefined, { signal, ref: false }).catch(() => undefined),
};

/** Warms what the configuration names when it is due, and what clients pull most. */
export class WarmSchedules implements Reloadable {
  /** What clients pull. */
  readonly use: ObservedUse;
  readonly #options: WarmSchedulesOptions;
  readonly #observer: ScheduleObserver;
  readonly #scheduler: Scheduler;
  #warm: WarmConfig;

  constructor(options: WarmSchedulesOptions) {
    const { config, proxied, metrics, logger } = options;
    const { layout, store } = proxied;
    this.#options = options;
    this.#warm = config.warm;
    this.use = new ObservedUse({
      days: new ObservedDays(layout.root),
      read: (digest: Digest) => store.read(digest, maxManifestSize),
    });
    this.#observer = createScheduleObserver(metrics.schedules, logger);
    this.#scheduler = new Scheduler({
      record: new ScheduleRecord(layout.root),
      observer: this.#observer,
      clock,
      settling: settling.least + Math.random() * settling.more,
    });
    metrics.schedules.observe(() => this.#scheduler.status());
    this.prepare(config)();
  }

  prepare({ warm }: Config): () => void {
    const schedules = this.#schedulesOf(warm);
    return () => {
      this.#warm = warm;
      this.use.isOn = warm.observed !== undefined;
      this.#scheduler.replace(schedules);
    };
  }

  /** What the operations API tells. */
  get tells(): OperationsApi['tells'] {
    return { warm: () => this.#describe() };
  }

  /**
   * Runs what is due; settles when nothing is under way any more. Never rejects.
   * @param stop ends all runs
   * @param signal no client pulls any more
   */
  async run(stop: AbortSignal, signal: AbortSignal): Promise<void> {
    const counting = async (): Promise<void> => {
      while (!signal.aborted) {
        await clock.wait(countInterval, signal);
        await this.#count();
      }
    };
    await Promise.all([this.#scheduler.run(stop), counting()]);
  }

  async #count(): Promise<void> {
    const { observed } = this.#warm;
    if (observed === undefined) return;
    await this.use
      .flush(Date.now(), observed.days)
      .catch((error: unknown) => this.#observer.recordFailed(observedName, error));
  }

  #schedulesOf({ schedules, observed }: WarmConfig): Schedule[] {
    const named = Object.entries(schedules).map(([name, { cron, time_zone }]) => ({
      name,
      cron,
      timeZone: time_zone,
      work: (signal: AbortSignal) => this.#runNamed(name, signal),
    }));
    if (observed === undefined) return named;
    const { cron, time_zone } = observed;
    const work = (signal: AbortSignal): AsyncGenerator<WarmEvent> => this.#runObserved(signal);
    return [...named, { name: observedName, cron, timeZone: time_zone, work }];
  }

  #fetch(wishes: WarmWishes, signal: AbortSignal): AsyncIterable<WarmEvent> {
    return this.#options.warming.run(wishes, 'schedule', signal);
  }

  /** With the configuration of the time at which it begins. */
  async *#runNamed(name: string, signal: AbortSignal): AsyncGenerator<WarmEvent> {
    const schedule = this.#warm.schedules[name];
    if (schedule === undefined) return;
    const { wishes, failures } = await scheduledImages(this.#warm, schedule);
    const { logger } = this.#options;
    for (const failure of failures) {
      const { image: place, code, message: reason } = failure;
      logger.warn('a list of images has a fault', { schedule: name, place, code, reason });
      yield failed(failure);
    }
    if (wishes.images.length > 0) yield* this.#fetch(wishes, signal);
  }

  async *#runObserved(signal: AbortSignal): AsyncGenerator<WarmEvent> {
    const warm = this.#warm;
    await this.#count();
    const usual = parsePlatforms(warm.platforms);
    const images = (await this.#mostPulled()).map(({ image, platforms }) => ({
      reference: image,
      platforms: platforms.length === 0 ? usual : parsePlatforms(platforms),
    }));
    if (images.length === 0) return;
    yield* this.#fetch({ ...commonWishes(warm), images }, signal);
  }

  /**
   * What was purged, or deleted by its upstream, is not brought back, nor what the configuration no longer
   * allows.
   */
  async #mostPulled(): Promise<PullCount[]> {
    const { observed } = this.#warm;
    const found: PullCount[] = [];
    if (observed === undefined) return found;
    for (const count of await this.use.mostPulled(Date.now(), observed.days)) {
      if (found.length === observed.keep) break;
      const { image } = count;
      if (!this.#isAllowed(image)) continue;
      const colon = image.lastIndexOf(':');
      const repository = image.slice(0, colon) as QualifiedName;
      const tag = image.slice(colon + 1) as Tag;
      if ((await this.#options.proxied.catalog.tag(repository, tag)) !== undefined)
        found.push(count);
    }
    return found;
  }

  #isAllowed(image: string): boolean {
    try {
      return findTarget(image, this.#options.proxied.upstreams.table).route.via !== 'hosted';
    } catch {
      return false;
    }
  }

  async #describe(): Promise<ScheduleReport> {
    const { platforms, jobs, bandwidth, observed } = this.#warm;
    const pulled = observed && { ...observed, images: await this.#mostPulled() };
    return {
      platforms,
      jobs,
      bandwidth: bandwidth ?? null,
      schedules: this.#scheduler.status(),
      observed: pulled ?? null,
    };
  }
}

function failed({ image, code, message }: ImageFailure): WarmEvent {
  return {
    kind: 'image',
    image,
    result: 'failed',
    fetched_bytes: 0,
    fetched_blobs: 0,
    code: code as ErrorCode,
    message,
  };
}
