import { open } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, jest } from '@jest/globals';
import { StagedFile } from '../../src/bundle/staged-file.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const resources = testResources();
afterEach(() => void jest.restoreAllMocks());

it('does not get its name where the disk has once failed to take what was written', async () => {
  const folder = resources.use(tempDir('staged')).path;
  const probe = await open(join(folder, 'probe'), 'w');
  const handles = Object.getPrototypeOf(probe) as typeof probe;
  await probe.close();
  const failure = new Error('EIO: i/o error, fsync');
  // The system tells of a failure once: the next sync has nothing to say.
  const sync = jest.spyOn(handles, 'datasync').mockRejectedValueOnce(failure);
  const file = await StagedFile.create(join(folder, 'growing-blob-1'), 'sha256', 1_000);
  const piece = Buffer.alloc(1_000);
  for (let count = 0; count < 4; count++) await file.write(piece);
  await waitFor('a sync underway', () => sync.mock.calls.length > 0);
  await file.digest();
  await expect(file.keep(join(folder, 'whole'))).rejects.toBe(failure);
  expect(existsSync(join(folder, 'whole'))).toBe(false);
});
