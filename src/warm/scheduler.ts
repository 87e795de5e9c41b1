import { CronTimes } from '../lib/cron.ts';
import { Serial } from '../lib/serial.ts';
import { toRegistryError } from '../oci/errors.ts';
import { RunTally, type RunReport } from './run-report.ts';
import type { ScheduleRecord, ScheduleState } from './schedule-record.ts';
import type { Clock, Schedule, ScheduleObserver, ScheduleStatus } from './schedule.ts';

export interface SchedulerOptions {
  readonly record: Pick<ScheduleRecord, 'read' | 'write' | 'keepOnly'>;
  readonly observer: ScheduleObserver;
  readonly clock: Clock;
  /** Milliseconds after the start before that is done which was missed: others are busy then, too. */
  readonly settling: number;
}

interface Entry {
  schedule: Schedule;
  times: CronTimes;
  /** Up to when all is settled, and what is due next. Milliseconds since the epoch. */
  through: number;
  due: number | undefined;
  isLoaded: boolean;
  state: ScheduleStatus['state'];
  tally: RunTally | undefined;
  last: RunReport | undefined;
  lastSuccessAt: string | undefined;
  readonly removed: AbortController;
}

/** The longest wait before looking at the clock again, in milliseconds: it may be set. */
const longestWait = 60_000;

/** A clock that was set back by more than this has made the past a future. Milliseconds. */
const longestAhead = 3_600_000;

/**
 * Runs what is due: one after the other, so that jobs and bandwidth are those of all together. A
 * schedule that is due while it runs or waits is skipped. What was missed while there was no process is
 * made up for once.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #queue = new Serial();
  readonly #runs = new Set<Promise<void>>();
  #startedAt = 0;
  #hasChanged = true;
  #wake = new AbortController();

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Puts these in the place of all there are. A run of one that is no longer there is stopped. */
  replace(schedules: readonly Schedule[]): void {
    const names = new Set(schedules.map(({ name }) => name));
    for (const [name, entry] of this.#entries) {
      if (names.has(name)) continue;
      entry.removed.abort();
      this.#entries.delete(name);
    }
    for (const schedule of schedules) {
      const entry = this.#entries.get(schedule.name);
      if (entry === undefined) this.#entries.set(schedule.name, this.#newEntry(schedule));
      else this.#change(entry, schedule);
    }
    this.#hasChanged = true;
    this.#wake.abort();
  }

  /** In the order of the configuration. */
  status(): ScheduleStatus[] {
    return [...this.#entries.values()].map(
      ({ schedule, state, due, tally, last, lastSuccessAt }) => ({
        name: schedule.name,
        cron: schedule.cron,
        time_zone: schedule.timeZone,
        state,
        next_due: due === undefined ? null : new Date(due).toISOString(),
        running: state === 'running' ? (tally?.progress ?? null) : null,
        last: last ?? null,
        last_success_at: lastSuccessAt ?? null,
      }),
    );
  }

  /** Runs what is due until the signal says stop, and settles when nothing runs any more; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#startedAt = clock.now();
    while (!signal.aborted) {
      this.#wake = new AbortController();
      if (this.#hasChanged) await this.#load();
      const now = clock.now();
      this.#startedAt = Math.min(this.#startedAt, now);
      for (const entry of this.#entries.values()) this.#look(entry, now, signal);
      const dues = [...this.#entries.values()].map((entry) => this.#dueTime(entry));
      const wait = Math.min(longestWait, ...dues.map((due) => Math.max(0, due - now)));
      await clock.wait(wait, AbortSignal.any([signal, this.#wake.signal]));
    }
    await Promise.all(this.#runs);
  }

  #newEntry(schedule: Schedule): Entry {
    return {
      schedule,
      times: new CronTimes(schedule.cron, schedule.timeZone),
      through: 0,
      due: undefined,
      isLoaded: false,
      state: 'idle',
      tally: undefined,
      last: undefined,
      lastSuccessAt: undefined,
      removed: new AbortController(),
    };
  }

  /** With other times, nothing was missed. */
  #change(entry: Entry, schedule: Schedule): void {
    const { cron, timeZone } = entry.schedule;
    entry.schedule = schedule;
    if (schedule.cron === cron && schedule.timeZone === timeZone) return;
    entry.times = new CronTimes(schedule.cron, schedule.timeZone);
    entry.isLoaded = false;
  }

  /** Reads the past of those that are new, and forgets that of those that are gone. */
  async #load(): Promise<void> {
    const { record, observer, clock } = this.#options;
    this.#hasChanged = false;
    await record
      .keepOnly(new Set(this.#entries.keys()))
      .catch((error: unknown) => observer.recordFailed('', error));
    for (const [name, entry] of this.#entries) {
      if (entry.isLoaded) continue;
      const state = await record.read(name).catch((error: unknown) => {
        observer.recordFailed(name, error);
        return undefined;
      });
      entry.isLoaded = true;
      entry.last ??= state?.last;
      entry.lastSuccessAt ??= state?.last_success_at;
      const { cron, timeZone } = entry.schedule;
      const isSame = state?.cron === cron && state.time_zone === timeZone;
      settle(entry, isSame ? Date.parse(state.through) : clock.now());
      // So that its first run can be missed, too.
      if (!isSame) await this.#save(entry);
    }
  }

  #look(entry: Entry, now: number, signal: AbortSignal): void {
    if (entry.through > now + longestAhead) settle(entry, now);
    const { due, schedule, state } = entry;
    if (due === undefined || this.#dueTime(entry) > now) return;
    settle(entry, now);
    if (state !== 'idle') {
      this.#options.observer.skipped(schedule.name, due);
      return;
    }
    entry.state = 'waiting';
    const missedAt = due < this.#startedAt ? due : undefined;
    const run = this.#queue.run(['run'], () => this.#perform(entry, missedAt, signal));
    this.#runs.add(run);
    void run.finally(() => this.#runs.delete(run));
  }

  /** When it is to be begun: never, as far as is known, is Infinity. */
  #dueTime({ due }: Entry): number {
    if (due === undefined) return Infinity;
    return due < this.#startedAt ? this.#startedAt + this.#options.settling : due;
  }

  async #perform(entry: Entry, missedAt: number | undefined, signal: AbortSignal): Promise<void> {
    const { observer, clock } = this.#options;
    const { name, work } = entry.schedule;
    const stop = AbortSignal.any([signal, entry.removed.signal]);
    if (stop.aborted) return;
    const tally = new RunTally(clock.now());
    entry.tally = tally;
    entry.state = 'running';
    observer.started(name, missedAt);
    const end = await this.#carryOut(name, work, tally, stop);
    entry.state = 'idle';
    if (end === 'stopped') {
      observer.interrupted(name);
      return;
    }
    entry.last = end;
    if (end.result === 'completed') entry.lastSuccessAt = end.ended_at;
    observer.ended(name, end);
    await this.#save(entry);
  }

  async #carryOut(
    name: string,
    work: Schedule['work'],
    tally: RunTally,
    signal: AbortSignal,
  ): Promise<RunReport | 'stopped'> {
    const { observer, clock } = this.#options;
    try {
      for await (const event of work(signal)) {
        const failure = tally.take(event);
        if (failure === undefined) observer.told(name, event);
        else observer.imageFailed(name, failure);
      }
      return signal.aborted ? 'stopped' : tally.report(clock.now(), undefined);
    } catch (error) {
      return signal.aborted ? 'stopped' : tally.report(clock.now(), toRegistryError(error));
    }
  }

  /** Where the disk refuses, a restart may do something a second time. */
  async #save({ schedule, through, last, lastSuccessAt, removed }: Entry): Promise<void> {
    const { record, observer } = this.#options;
    if (removed.signal.aborted) return;
    const state: ScheduleState = {
      cron: schedule.cron,
      time_zone: schedule.timeZone,
      through: new Date(through).toISOString(),
      last,
      last_success_at: lastSuccessAt,
    };
    await record
      .write(schedule.name, state)
      .catch((error: unknown) => observer.recordFailed(schedule.name, error));
  }
}

function settle(entry: Entry, through: number): void {
  entry.through = through;
  entry.due = entry.times.next(through);
}
