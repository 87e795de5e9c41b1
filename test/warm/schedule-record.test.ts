import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RunTally } from '../../src/warm/run-report.ts';
import { parseState, ScheduleRecord } from '../../src/warm/schedule-record.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const state = {
  cron: '0 3 * * *',
  time_zone: 'UTC',
  through: '2026-11-21T03:00:00.000Z',
  last: new RunTally(Date.parse('2026-11-21T03:00Z')).report(
    Date.parse('2026-11-21T03:01Z'),
    undefined,
  ),
  last_success_at: '2026-11-21T03:01:00.000Z',
};

describe('the past of schedules', () => {
  let folder: TempDir;
  let record: ScheduleRecord;
  beforeEach(() => {
    folder = tempDir('schedules');
    record = new ScheduleRecord(folder.path);
  });
  afterEach(async () => folder[Symbol.asyncDispose]());

  it('is read back as it was written', async () => {
    expect(await record.read('nightly')).toBeUndefined();
    await record.write('nightly', state);
    expect(await record.read('nightly')).toEqual(state);
    await record.write('nightly', { ...state, cron: '@daily' });
    expect((await record.read('nightly'))?.cron).toBe('@daily');
  });

  it('is forgotten for those that are no longer there', async () => {
    await record.keepOnly(new Set());
    for (const name of ['a', 'b', 'c']) await record.write(name, state);
    await record.keepOnly(new Set(['b', 'd']));
    expect(await readdir(join(folder.path, 'warm', 'schedules'))).toEqual(['b.json']);
  });

  it('is unknown where its file is damaged', async () => {
    await mkdir(join(folder.path, 'warm', 'schedules'), { recursive: true });
    await writeFile(join(folder.path, 'warm', 'schedules', 'a.json'), '{"cron":');
    expect(await record.read('a')).toBeUndefined();
  });

  it.each([
    'null',
    '[]',
    '7',
    JSON.stringify({ ...state, cron: 1 }),
    JSON.stringify({ ...state, through: 'soon' }),
    JSON.stringify({ ...state, time_zone: undefined }),
  ])('is not taken from %s', (text) => {
    expect(parseState(text)).toBeUndefined();
  });

  it('is known without what is damaged of its last run', () => {
    const { images: _, ...rest } = state.last;
    for (const last of [rest, { ...state.last, result: 'perhaps' }, 'x', null]) {
      expect(parseState(JSON.stringify({ ...state, last }))).toEqual({ ...state, last: undefined });
    }
  });
});

describe('the report of a run', () => {
  const image = (result: 'warmed' | 'failed', name: string) =>
    ({ kind: 'image', image: name, result, fetched_bytes: 3, fetched_blobs: 1 }) as const;

  it('adds up what came where the run broke off', () => {
    const tally = new RunTally(0);
    tally.take(image('warmed', 'a'));
    expect(tally.take(image('failed', 'b'))).toEqual({ image: 'b', code: 'UNKNOWN', message: '' });
    tally.take({ kind: 'progress', bytes: 6, total: 9, images_done: 2, images: 4 });
    expect(tally.progress).toEqual({
      started_at: '1970-01-01T00:00:00.000Z',
      bytes: 6,
      total: 9,
      images_done: 2,
      images: 4,
    });
    expect(tally.report(1_500, undefined)).toMatchObject({
      seconds: 1.5,
      result: 'incomplete',
      images: 2,
      failed: 1,
      fetched_bytes: 6,
      fetched_blobs: 2,
    });
  });

  it('names no more failures than somebody would read', () => {
    const tally = new RunTally(0);
    for (let nth = 0; nth < 1_000; nth++) tally.take(image('failed', String(nth)));
    const { failed, failures } = tally.report(1, undefined);
    expect(failed).toBe(1_000);
    expect(failures).toHaveLength(50);
  });
});
