import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { DataDirectory } from '../support/data-directory.ts';
import { seededImage } from '../support/images.ts';
import { readBundle } from '../support/read-bundle.ts';
import { runCommand, type CommandRun } from '../support/run-command.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const [one, two, latest, pushed] = [1, 2, 3, 4].map((seed) => seededImage([5000], seed));

let data: DataDirectory;
let folder: TempDir;
const file = (name: string): string => join(folder.path, name);

beforeAll(async () => {
  data = await DataDirectory.create();
  folder = tempDir('lists');
  await data.cache('docker.io/library/krill', '1.0', one!);
  await data.cache('docker.io/library/krill', '1.1', two!);
  await data.cache('docker.io/library/krill', 'latest', latest!);
  await data.push('local/app', '1', pushed!);
});

afterAll(async () => {
  await data[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const exportOf = (text: string, ...args: readonly string[]): Promise<CommandRun> => {
  writeFileSync(file('list'), text);
  const where = ['--data', data.path, '--hosted', 'local/**', '-o', file('out.tar')];
  return runCommand(['export', '-f', file('list'), ...args, ...where]);
};
const names = async (): Promise<string[]> => {
  const { digests } = await readBundle(file('out.tar'));
  return digests.images.map(({ name }) => name);
};

it('exports what a list names, which without a tag is latest, beside what the command line names', async () => {
  const list = '# what we need\nkrill\nlocal/app:1   # ours\n';
  expect((await exportOf(list, 'krill:1.0')).status).toBe(0);
  expect(await names()).toEqual([
    'docker.io/library/krill:1.0',
    'docker.io/library/krill:latest',
    'local/app:1',
  ]);
});

it('exports what a manifest of Kubernetes names', async () => {
  const pod = 'kind: Pod\nspec:\n  containers:\n    - image: krill:1.0\n';
  expect((await exportOf(pod)).status).toBe(0);
  expect(await names()).toEqual(['docker.io/library/krill:1.0']);
});

it('takes a pattern for the tags that are stored', async () => {
  expect((await exportOf('krill:1.*\n')).status).toBe(0);
  expect(await names()).toEqual(['docker.io/library/krill:1.0', 'docker.io/library/krill:1.1']);
  expect((await exportOf('krill:1.* newest=1\n')).status).toBe(0);
  expect(await names()).toEqual(['docker.io/library/krill:1.1']);
  const none = await exportOf('krill:7.*\n');
  expect([none.status, none.stderr]).toEqual([1, expect.stringContaining('krill:7.*: none of')]);
});

it('writes nothing where something in the list is no image, or nothing is', async () => {
  const faulty = await exportOf('krill:1.0\nKrill:1.0\n', '--dry-run');
  expect([faulty.status, faulty.stderr]).toEqual([1, expect.stringContaining('list:2')]);
  const empty = await exportOf('# nothing yet\n', '--dry-run');
  expect([empty.status, empty.stderr]).toEqual([1, expect.stringContaining('names no image')]);
  const missing = await runCommand(['export', '-f', file('nowhere'), '-o', file('none.tar')]);
  expect(missing.status).toBe(1);
  expect(missing.stderr).not.toContain('at ');
  const nothing = await runCommand(['export', '-o', file('none.tar')]);
  expect([nothing.status, nothing.stderr]).toEqual([2, expect.stringContaining('name the images')]);
});
