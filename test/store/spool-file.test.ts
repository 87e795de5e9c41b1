import { expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SpoolFile } from '../../src/store/spool-file.ts';
import { tempDir } from '../support/temp-dir.ts';

it('gives nothing back that could not be made durable, and leaves nothing of it behind', async () => {
  await using folder = tempDir('spool');
  const path = join(folder.path, 'sha256-x');
  const file = await SpoolFile.open(path);
  await file.append([Buffer.from('some bytes')]);
  const read = (): Promise<number> =>
    new Promise((resolve, reject) => {
      file.read(Buffer.alloc(4), 4, 0, (error, count) => {
        if (error === null) resolve(count);
        else reject(error);
      });
    });
  expect(await read()).toBe(4);
  await file.close();
  // A closed file fails to be synced, as one does on a disk with errors.
  const failure: unknown = await file.sync().catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'EBADF' });
  await expect(read()).rejects.toBe(failure);
  expect(existsSync(path)).toBe(false);
});
