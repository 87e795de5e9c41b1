import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { removeAbandonedImports } from '../../src/bundle/abandoned-imports.ts';
import { importsFolder, lockStaging } from '../../src/bundle/staging.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';

const resources = testResources();
const idOf = (digit: string): string => digit.repeat(64);

it('removes what was staged and left alone, unless somebody is still at work on it', async () => {
  const root = resources.use(tempDir('imports')).path;
  const now = Date.now();
  for (const [digit, minutes] of [
    ['a', 120],
    ['b', 1],
    ['c', 120],
  ] as const) {
    const folder = join(importsFolder(root), idOf(digit));
    mkdirSync(folder, { recursive: true });
    if (digit === 'c') resources.use(lockStaging(root, idOf(digit))!);
    writeFileSync(join(folder, 'sha256-x'), 'bytes');
    const time = new Date(now - minutes * 60_000);
    for (const name of ['.', ...readdirSync(folder)]) utimesSync(join(folder, name), time, time);
  }
  expect(await removeAbandonedImports(root, now - 3_600_000)).toBe(1);
  expect(readdirSync(importsFolder(root)).toSorted()).toEqual([idOf('b'), idOf('c')]);
});

it('removes the folder of all imports with the last of them', async () => {
  const root = resources.use(tempDir('imports')).path;
  const folder = join(importsFolder(root), idOf('a'));
  mkdirSync(folder, { recursive: true });
  expect(await removeAbandonedImports(root, Date.now() + 60_000)).toBe(1);
  expect(readdirSync(root)).toEqual([]);
});
