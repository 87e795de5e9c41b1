import type { Config } from '../config/config.ts';
import { observedName } from '../config/warm-config.ts';
import { CronTimes } from '../lib/cron.ts';
import type { Layout } from '../store/layout.ts';
import { ObservedDays, type PullCount } from '../warm/observed-days.ts';
import { ObservedUse } from '../warm/observed-use.ts';
import { ScheduleRecord } from '../warm/schedule-record.ts';
import type { ScheduleStatus } from '../warm/schedule.ts';

/** What `GET /api/warm` tells. */
export interface ScheduleReport {
  readonly platforms: readonly string[];
  readonly jobs: number;
  /** Bytes a second. */
  readonly bandwidth: number | null;
  /** In the order of the configuration; what is kept fresh because clients pull it is the last. */
  readonly schedules: readonly ScheduleStatus[];
  readonly observed: ObservedReport | null;
}

/** What clients pull most. */
export interface ObservedReport {
  readonly keep: number;
  readonly days: number;
  readonly cron: string;
  readonly time_zone: string;
  readonly images: readonly PullCount[];
}

/**
 * The same out of the files, where no Baleen runs: nothing is due before one does.
 * @throws the disk's error
 */
export async function readScheduleReport(
  { warm }: Pick<Config, 'warm'>,
  layout: Layout,
): Promise<ScheduleReport> {
  const { platforms, jobs, bandwidth, observed } = warm;
  const record = new ScheduleRecord(layout.root);
  const timed = [
    ...Object.entries(warm.schedules),
    ...(observed === undefined ? [] : [[observedName, observed] as const]),
  ];
  const schedules: ScheduleStatus[] = [];
  for (const [name, { cron, time_zone }] of timed) {
    const state = await record.read(name);
    const due = new CronTimes(cron, time_zone).next(Date.now());
    schedules.push({
      name,
      cron,
      time_zone,
      state: 'idle',
      next_due: due === undefined ? null : new Date(due).toISOString(),
      running: null,
      last: state?.last ?? null,
      last_success_at: state?.last_success_at ?? null,
    });
  }
  const days = new ObservedDays(layout.root);
  const use = new ObservedUse({ days, read: () => Promise.resolve(undefined) });
  const images = observed && (await use.mostPulled(Date.now(), observed.days));
  return {
    platforms,
    jobs,
    bandwidth: bandwidth ?? null,
    schedules,
    observed: observed && images ? { ...observed, images: images.slice(0, observed.keep) } : null,
  };
}
