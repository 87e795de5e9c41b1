import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { runProgram } from '../../src/cli/program.ts';
import type { ScheduleReport } from '../../src/service/schedule-report.ts';
import { Layout } from '../../src/store/layout.ts';
import { dayOf, ObservedDays } from '../../src/warm/observed-days.ts';
import { RunTally } from '../../src/warm/run-report.ts';
import { ScheduleRecord } from '../../src/warm/schedule-record.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';

const resources = testResources();

/** What `baleen schedules` prints, where no Baleen runs. */
async function schedules(
  warm: object,
  prepare: (root: string) => Promise<void>,
  ...args: string[]
): Promise<string> {
  const folder = resources.use(tempDir('schedules'));
  const directory = join(folder.path, 'data');
  const file = join(folder.path, 'baleen.yaml');
  const operations = { listen: 'off' };
  await writeFile(file, stringify({ operations, storage: { directory }, warm }));
  await prepare(new Layout(directory).root);
  let stdout = '';
  let stderr = '';
  const status = await runProgram(['schedules', '--config', file, ...args], {
    actions: { serve: () => Promise.reject(new Error('not this')) },
    env: {},
    version: '1.2.3',
    tty: false,
    stdin: Readable.from([]),
    stdout: (text) => (stdout += text),
    stderr: (text) => (stderr += text),
  });
  expect(status).toBe(0);
  expect(stderr).toBe('No Baleen answers here: nothing is done before one runs.\n');
  return stdout;
}

const nothing = (): Promise<void> => Promise.resolve();
const cron = '0 0 1 1 *';
const newYear = `${new Date().getUTCFullYear() + 1}-01-01 00:00:00Z`;

it('says that nothing is warmed by the clock where nothing is configured', async () => {
  expect(await schedules({}, nothing)).toBe(
    'Nothing is warmed by the clock: there are no warm.schedules, and no warm.observed.\n',
  );
});

it('tells the last run of each schedule, what failed, and what is pulled most', async () => {
  const [startedAt, endedAt] = [
    Date.parse('2026-11-21T03:00Z'),
    Date.parse('2026-11-21T03:01:05Z'),
  ];
  const done = {
    kind: 'image',
    result: 'warmed',
    fetched_bytes: 1_572_864,
    fetched_blobs: 2,
  } as const;
  const failed = { ...done, result: 'failed', fetched_bytes: 0, fetched_blobs: 0 } as const;
  const warm = {
    schedules: { nightly: { images: ['nginx'], cron }, young: { images: ['nginx'], cron } },
    observed: { cron, days: 7, keep: 2 },
  };
  const prepare = async (root: string): Promise<void> => {
    const tally = new RunTally(startedAt);
    tally.take({ ...done, image: 'docker.io/library/nginx:1.27' });
    const [code, message] = ['MANIFEST_UNKNOWN', 'not there'] as const;
    tally.take({ ...failed, image: 'docker.io/library/nginx:9', code, message });
    const last = tally.report(endedAt, undefined);
    const through = new Date(startedAt).toISOString();
    await new ScheduleRecord(root).write('nightly', { cron, time_zone: 'UTC', through, last });
    await new ObservedDays(root).write(dayOf(Date.now()), [
      {
        image: 'docker.io/library/nginx:1.27',
        pulls: 12,
        platforms: ['linux/amd64', 'linux/arm64'],
      },
      { image: 'ghcr.io/org/app:v1', pulls: 3, platforms: [] },
      { image: 'ghcr.io/org/app:v0', pulls: 1, platforms: [] },
    ]);
  };
  expect(await schedules(warm, prepare)).toBe(
    `schedule  last run              result      images       fetched  took  next due              times
nightly   2026-11-21 03:00:00Z  incomplete  2, 1 failed  1.5 MiB  1m5s  ${newYear}  0 0 1 1 * UTC
young     -                     -           -            -        -     ${newYear}  0 0 1 1 * UTC
observed  -                     -           -            -        -     ${newYear}  0 0 1 1 * UTC

nightly: 1 failed
  docker.io/library/nginx:9  MANIFEST_UNKNOWN  not there

pulled most in 7 days, at most 2 of them:
  12  docker.io/library/nginx:1.27  linux/amd64, linux/arm64
  3   ghcr.io/org/app:v1
`,
  );
  const report = JSON.parse(await schedules(warm, prepare, '--json')) as ScheduleReport;
  expect(report).toMatchObject({
    platforms: ['linux/amd64'],
    jobs: 4,
    bandwidth: null,
    schedules: [{ name: 'nightly', last: { failed: 1 } }, { name: 'young' }, { name: 'observed' }],
    observed: { keep: 2, days: 7, images: [{ pulls: 12 }, { pulls: 3 }] },
  });
});
