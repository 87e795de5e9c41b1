import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import type { WarmConfig, WarmScheduleConfig } from '../../src/config/warm-config.ts';
import { commonWishes, scheduledImages } from '../../src/service/scheduled-images.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';

const resources = testResources();

const warm: WarmConfig = { platforms: ['linux/arm/v7'], jobs: 7, bandwidth: 1_000, schedules: {} };
const schedule: WarmScheduleConfig = {
  images: [],
  files: [],
  cron: '@daily',
  time_zone: 'UTC',
  referrers: false,
  pin: false,
};
const arm = [{ os: 'linux', architecture: 'arm', variant: 'v7' }];
const amd = [{ os: 'linux', architecture: 'amd64' }];

it('are fetched as all runs are, with what the schedule says besides', async () => {
  const { wishes, failures } = await scheduledImages(warm, {
    ...schedule,
    images: ['nginx:1.2*'],
    referrers: true,
    pin: true,
    newest: 3,
  });
  expect(failures).toEqual([]);
  expect(wishes).toEqual({
    images: [{ reference: 'nginx:1.2*', platforms: arm, newest: 3 }],
    referrers: true,
    jobs: 7,
    dryRun: false,
    pin: true,
    bandwidth: 1_000,
  });
  expect(commonWishes({ ...warm, bandwidth: undefined }).bandwidth).toBe(Infinity);
});

it('are found in lists, whose lines may say more than the schedule', async () => {
  const folder = resources.use(tempDir('lists'));
  const [lines, yaml] = [join(folder.path, 'images.txt'), join(folder.path, 'pods.yaml')];
  await writeFile(lines, 'a:1*\nb:1* newest=2\nc:1 platform=linux/amd64\n');
  await writeFile(yaml, 'kind: Pod\nspec: { containers: [{ image: "d:1" }] }\n');
  const { wishes, failures } = await scheduledImages(warm, {
    ...schedule,
    images: ['z:1'],
    files: [lines, yaml],
    platforms: ['all'],
    newest: 5,
  });
  expect(failures).toEqual([]);
  expect(wishes.images).toEqual([
    { reference: 'z:1', platforms: 'all', newest: 5 },
    { reference: 'a:1*', platforms: 'all', newest: 5 },
    { reference: 'b:1*', platforms: 'all', newest: 2 },
    { reference: 'c:1', platforms: amd, newest: 5 },
    { reference: 'd:1', platforms: 'all', newest: 5 },
  ]);
});

it('are found all the same where a list cannot be read, or a line says nothing, which is told', async () => {
  const folder = resources.use(tempDir('lists'));
  const [lines, nowhere] = [join(folder.path, 'images.txt'), join(folder.path, 'nowhere')];
  await writeFile(lines, 'a:1\nwhat?\nb:1\n');
  const files = [nowhere, folder.path, lines];
  const { wishes, failures } = await scheduledImages(warm, { ...schedule, files });
  expect(wishes.images.map(({ reference }) => reference)).toEqual(['a:1', 'b:1']);
  expect(failures).toEqual([
    { image: nowhere, code: 'REQUEST_INVALID', message: 'there is no such file' },
    {
      image: folder.path,
      code: 'REQUEST_INVALID',
      message: 'this is a directory, not a file',
    },
    { image: `${lines}:2`, code: 'NAME_INVALID', message: expect.any(String) },
  ]);
});
