import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RegistryError } from '../../src/oci/errors.ts';
import type { ScheduleState } from '../../src/warm/schedule-record.ts';
import type { Schedule } from '../../src/warm/schedule.ts';
import { Scheduler } from '../../src/warm/scheduler.ts';
import type { ImageDone, WarmEvent } from '../../src/warm/warm-event.ts';
import { TestClock } from './test-clock.ts';

const done = (image: string, more: Partial<ImageDone> = {}): ImageDone => ({
  kind: 'image',
  image,
  result: 'warmed',
  fetched_bytes: 10,
  fetched_blobs: 1,
  ...more,
});

const summary: WarmEvent = {
  kind: 'summary',
  images: 1,
  failed: 0,
  fetched_bytes: 10,
  fetched_blobs: 1,
  present_bytes: 5,
  present_blobs: 2,
  seconds: 1,
  dry_run: false,
};

describe('schedules', () => {
  let clock: TestClock;
  let scheduler: Scheduler;
  let stopping: AbortController;
  let running: Promise<void>;
  let log: string[];
  /** What is on disk. */
  const record = new Map<string, ScheduleState>();
  /** Runs that are held until the test lets them go. */
  let held: PromiseWithResolvers<void> | undefined;
  let diskError: Error | undefined;

  const minute = (at: string | number): string => new Date(at).toISOString().slice(5, 16);

  beforeEach(() => {
    clock = new TestClock('2026-11-20T12:00Z');
    log = [];
    record.clear();
    held = diskError = undefined;
  });
  afterEach(async () => {
    held?.resolve();
    await stop();
  });

  const start = (...schedules: readonly Schedule[]): void => {
    scheduler = new Scheduler({
      record: {
        read: (name) =>
          diskError === undefined ? Promise.resolve(record.get(name)) : Promise.reject(diskError),
        write: (name, state) => {
          if (diskError !== undefined) return Promise.reject(diskError);
          record.set(name, state);
          return Promise.resolve();
        },
        keepOnly: (names) => {
          for (const name of record.keys()) if (!names.has(name)) record.delete(name);
          return Promise.resolve();
        },
      },
      clock,
      settling: 10 * 60_000,
      observer: {
        started: (name, missedAt) =>
          log.push(
            `${minute(clock.now())} ${name}${missedAt === undefined ? '' : ` for ${minute(missedAt)}`}`,
          ),
        imageFailed: (name, { image, code }) => log.push(`${name}: ${image} ${code}`),
        told: () => undefined,
        ended: (name, report) => log.push(`${minute(clock.now())} ${name} ${report.result}`),
        interrupted: (name) => log.push(`${name} interrupted`),
        skipped: (name, dueAt) => log.push(`${name} skipped ${minute(dueAt)}`),
        recordFailed: (name, error) => log.push(`${name} not recorded: ${String(error)}`),
      },
    });
    scheduler.replace(schedules);
    stopping = new AbortController();
    running = scheduler.run(stopping.signal);
  };

  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };

  const schedule = (name: string, cron: string, more: Partial<Schedule> = {}): Schedule => ({
    name,
    cron,
    timeZone: 'UTC',
    async *work(signal) {
      yield done('a');
      if (held !== undefined) {
        const left = new Promise((resolve) => {
          signal.addEventListener('abort', resolve);
        });
        await Promise.race([held.promise, left]);
        signal.throwIfAborted();
      }
      yield summary;
    },
    ...more,
  });

  const nightly = schedule('nightly', '0 3 * * *');

  it('run when they are due, and not before', async () => {
    start(nightly);
    await clock.to('2026-11-21T02:59:59Z');
    expect(log).toEqual([]);
    expect(scheduler.status()[0]).toMatchObject({
      state: 'idle',
      next_due: '2026-11-21T03:00:00.000Z',
      last: null,
    });
    await clock.to('2026-11-22T12:00Z');
    expect(log).toEqual([
      '11-21T03:00 nightly',
      '11-21T03:00 nightly completed',
      '11-22T03:00 nightly',
      '11-22T03:00 nightly completed',
    ]);
  });

  it('run at the hour of their time zone, once in the night in which clocks are put', async () => {
    clock = new TestClock('2026-03-27T12:00Z');
    start(schedule('berlin', '30 2 * * *', { timeZone: 'Europe/Berlin' }));
    await clock.to('2026-03-30T12:00Z');
    expect(log.filter((line) => line.endsWith('berlin'))).toEqual([
      '03-28T01:30 berlin',
      '03-29T01:00 berlin',
      '03-30T00:30 berlin',
    ]);
  });

  it('do not run at the start, when they are new', async () => {
    start(nightly);
    await clock.to(60 * 60_000);
    expect(log).toEqual([]);
  });

  it('make up once for what was missed, some time after the start', async () => {
    start(nightly);
    await clock.to('2026-11-21T12:00Z');
    await stop();
    log = [];
    clock.set('2026-11-25T12:00Z');
    start(nightly);
    await clock.to('2026-11-25T12:09Z');
    expect(log).toEqual([]);
    await clock.to('2026-11-26T02:00Z');
    expect(log).toEqual(['11-25T12:10 nightly for 11-22T03:00', '11-25T12:10 nightly completed']);
    await clock.to('2026-11-26T12:00Z');
    expect(log.slice(2)).toEqual(['11-26T03:00 nightly', '11-26T03:00 nightly completed']);
  });

  it('make up for a first run that was missed, too', async () => {
    start(nightly);
    await clock.to(60_000);
    await stop();
    clock.set('2026-11-21T12:00Z');
    start(nightly);
    await clock.to(60 * 60_000);
    expect(log[0]).toBe('11-21T12:10 nightly for 11-21T03:00');
  });

  it('make up for a run that was stopped in the middle', async () => {
    held = Promise.withResolvers();
    start(nightly);
    await clock.to('2026-11-21T03:30Z');
    expect(scheduler.status()[0]).toMatchObject({
      state: 'running',
      running: { started_at: '2026-11-21T03:00:00.000Z' },
    });
    await stop();
    expect(log).toEqual(['11-21T03:00 nightly', 'nightly interrupted']);
    held = undefined;
    start(nightly);
    await clock.to('2026-11-21T12:00Z');
    expect(log.slice(2)).toEqual([
      '11-21T03:40 nightly for 11-21T03:00',
      '11-21T03:40 nightly completed',
    ]);
  });

  it('have missed nothing where their times were changed meanwhile, or they were not there', async () => {
    start(nightly, schedule('other', '0 4 * * *'));
    await clock.to('2026-11-21T12:00Z');
    await stop();
    log = [];
    clock.set('2026-11-23T12:00Z');
    start(schedule('nightly', '0 5 * * *'));
    await clock.to('2026-11-23T13:00Z');
    await stop();
    start(
      schedule('nightly', '0 5 * * *', { timeZone: 'Asia/Tokyo' }),
      schedule('other', '0 4 * * *'),
    );
    await clock.to('2026-11-23T15:00Z');
    expect(log).toEqual([]);
    expect(scheduler.status().map(({ last }) => last?.result)).toEqual(['completed', undefined]);
  });

  it('are skipped while they run, which is said, and made up for by nothing', async () => {
    held = Promise.withResolvers();
    start(schedule('often', '*/10 * * * *'));
    await clock.to('2026-11-20T12:35Z');
    held.resolve();
    await clock.to('2026-11-20T12:40Z');
    expect(log).toEqual([
      '11-20T12:10 often',
      'often skipped 11-20T12:20',
      'often skipped 11-20T12:30',
      '11-20T12:35 often completed',
      '11-20T12:40 often',
      '11-20T12:40 often completed',
    ]);
    await stop();
    log = [];
    start(schedule('often', '*/10 * * * *'));
    await clock.to('2026-11-20T12:49Z');
    expect(log).toEqual([]);
  });

  it('run one after the other', async () => {
    held = Promise.withResolvers();
    start(nightly, schedule('other', '0 3 * * *'));
    await clock.to('2026-11-21T03:10Z');
    expect(log).toEqual(['11-21T03:00 nightly']);
    expect(scheduler.status().map(({ state }) => state)).toEqual(['running', 'waiting']);
    held.resolve();
    await clock.to('2026-11-21T03:11Z');
    expect(log.slice(1)).toEqual([
      '11-21T03:10 nightly completed',
      '11-21T03:10 other',
      '11-21T03:10 other completed',
    ]);
  });

  it('follow another configuration at once', async () => {
    held = Promise.withResolvers();
    start(nightly, schedule('other', '0 4 * * *'));
    await clock.to('2026-11-21T03:10Z');
    scheduler.replace([schedule('more', '15 3 * * *')]);
    await clock.to('2026-11-21T03:20Z');
    expect(log).toEqual(['11-21T03:00 nightly', 'nightly interrupted', '11-21T03:15 more']);
    expect([...record.keys()]).toEqual(['more']);
    // Other images at the same times: the run goes on, the next one has them.
    scheduler.replace([
      schedule('more', '15 3 * * *', {
        async *work() {
          yield await Promise.resolve(done('b', { result: 'failed', code: 'MANIFEST_UNKNOWN' }));
        },
      }),
    ]);
    await clock.to('2026-11-21T03:25Z');
    held.resolve();
    await clock.to('2026-11-22T04:00Z');
    expect(log.slice(3)).toEqual([
      '11-21T03:25 more completed',
      '11-22T03:15 more',
      'more: b MANIFEST_UNKNOWN',
      '11-22T03:15 more incomplete',
    ]);
    expect(scheduler.status()[0]).toMatchObject({
      last: { result: 'incomplete', failed: 1, failures: [{ image: 'b' }] },
      last_success_at: '2026-11-21T03:25:00.000Z',
    });
  });

  it('tell a run that could not be done at all, and go on', async () => {
    start(
      schedule('nightly', '0 3 * * *', {
        async *work() {
          yield await Promise.resolve(summary);
          throw new RegistryError('UNAVAILABLE', 'no room');
        },
      }),
    );
    await clock.to('2026-11-22T12:00Z');
    expect(log.filter((line) => line.endsWith('failed'))).toHaveLength(2);
    expect(record.get('nightly')?.last).toMatchObject({
      result: 'failed',
      code: 'UNAVAILABLE',
      message: 'no room',
    });
  });

  it('go on where nothing can be written down, and say so', async () => {
    diskError = new Error('EROFS');
    start(nightly);
    await clock.to('2026-11-21T12:00Z');
    expect(log).toContain('11-21T03:00 nightly completed');
    expect(log).toContain('nightly not recorded: Error: EROFS');
  });

  it('believe a clock that was set back', async () => {
    clock = new TestClock('2036-01-01T00:00Z');
    start(nightly);
    await clock.to(60_000);
    clock.set('2026-11-20T12:00Z');
    scheduler.replace([nightly]);
    await clock.to('2026-11-21T12:00Z');
    expect(log).toContain('11-21T03:00 nightly completed');
  });
});
