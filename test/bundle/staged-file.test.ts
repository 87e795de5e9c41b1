import { constants, existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it, jest } from '@jest/globals';
import { StagedFile } from '../../src/bundle/staged-file.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

type Handle = Awaited<ReturnType<typeof open>>;

const resources = testResources();
afterEach(() => void jest.restoreAllMocks());

it('does not get its name where the disk has once failed to take what was written', async () => {
  const folder = resources.use(tempDir('staged')).path;
  const probe = await open(join(folder, 'probe'), 'w');
  const handles = Object.getPrototypeOf(probe) as Handle;
  await probe.close();
  keepInPageCache(handles);
  const failure = new Error('EIO: i/o error, fsync');
  // The system tells of a failure once: the next sync has nothing to say.
  const sync = jest.spyOn(handles, 'datasync').mockRejectedValueOnce(failure);
  const file = await StagedFile.create(join(folder, 'growing-blob-1'), 'sha256');
  const piece = Buffer.alloc(8 * 1024 * 1024);
  for (let count = 0; count < 8; count++) await file.write(piece);
  await waitFor('a sync underway', () => sync.mock.calls.length > 0);
  await file.digest().catch(() => undefined);
  await expect(file.keep(join(folder, 'whole'))).rejects.toBe(failure);
  expect(existsSync(join(folder, 'whole'))).toBe(false);
});

/** As on a file system without O_DIRECT, where it is synced underway. */
function keepInPageCache(handles: Handle): void {
  const write = Reflect.get(handles, 'write') as (...args: unknown[]) => unknown;
  function refusing(this: Handle, ...args: unknown[]): unknown {
    const [, flags] =
      /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${this.fd}`, 'utf8')) ?? [];
    if ((Number.parseInt(flags ?? '', 8) & constants.O_DIRECT) === 0)
      return write.apply(this, args);
    return Promise.reject(Object.assign(new Error('EINVAL'), { code: 'EINVAL' }));
  }
  jest.spyOn(handles, 'write').mockImplementation(refusing as never);
}
