import { constants, readFileSync, readlinkSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { BulkFile } from '../../src/lib/bulk-file.ts';
import { seededBytes } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { tempDir } from '../support/temp-dir.ts';

const resources = testResources();
/** Of several blocks, the last of them cut off in the middle of a sector. */
const bytes = seededBytes(21 * 1024 * 1024 + 333, 1);
type Handle = Awaited<ReturnType<typeof open>>;
let handles: Handle;

beforeAll(async () => {
  const probe = await open('/dev/null', 'r');
  handles = Object.getPrototypeOf(probe) as Handle;
  await probe.close();
});
afterEach(() => void jest.restoreAllMocks());

describe('a large file written from its beginning to its end', () => {
  it('has what was written, in pieces of any size', async () => {
    const path = pathIn('pieces');
    const file = await BulkFile.open(path, 'w');
    await writePieces(file);
    expect(file.size).toBe(bytes.length);
    await file.sync();
    await expect(file.write(bytes)).rejects.toThrow('behind the end');
    await file.close();
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it('goes past the page cache, but for its end', async () => {
    const path = pathIn('direct');
    // Not every file system has that.
    const probe = open(
      `${path}.probe`,
      constants.O_CREAT | constants.O_WRONLY | constants.O_DIRECT,
    );
    const expected = await probe.then(
      (handle) => handle.close().then(() => constants.O_DIRECT),
      () => 0,
    );
    const write = jest.spyOn(handles, 'write');
    const file = await BulkFile.open(path, 'w');
    await writePieces(file);
    const flags = write.mock.contexts.map((handle) => flagsOf((handle as Handle).fd));
    expect(flags.length).toBe(5);
    expect(flags.every((each) => (each & constants.O_DIRECT) === expected)).toBe(true);
    await file.settle();
    expect(write).toHaveBeenCalledTimes(6);
    expect(flagsOf((write.mock.contexts[5] as Handle).fd) & constants.O_DIRECT).toBe(0);
    await file.close();
  });

  it('goes through the page cache where the device does not take it otherwise, and is synced underway', async () => {
    const path = pathIn('refused');
    refuseDirect();
    const sync = jest.spyOn(handles, 'datasync');
    const file = await BulkFile.open(path, 'w', 1_000);
    await writePieces(file);
    await file.settle();
    expect(sync.mock.calls.length).toBeGreaterThan(0);
    await file.sync();
    await file.close();
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it('fails where the disk has once failed to take what was written', async () => {
    refuseDirect();
    // The system tells of a failure once: the next sync has nothing to say.
    const failure = new Error('EIO: i/o error, fsync');
    jest.spyOn(handles, 'datasync').mockRejectedValueOnce(failure);
    const file = await BulkFile.open(pathIn('failed'), 'w', 1_000);
    await writePieces(file).catch(() => undefined);
    await expect(file.sync()).rejects.toBe(failure);
    await file.close();
  });

  it('fails where the disk is full, at the latest when it is to be synced', async () => {
    await using disk = new SmallDisk(8);
    const file = await BulkFile.open(join(disk.path, 'file'), 'w');
    await writePieces(file).catch(() => undefined);
    await expect(file.sync()).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(file.write(bytes)).rejects.toMatchObject({ code: 'ENOSPC' });
    await file.close();
  });

  it('writes nothing into another file that has its name by now', async () => {
    const path = pathIn('name');
    const file = await BulkFile.open(path, 'wx');
    renameSync(path, `${path}.moved`);
    const other = await BulkFile.open(path, 'wx');
    await writePieces(file);
    await file.sync();
    await Promise.all([file.close(), other.close()]);
    expect(readFileSync(path).length).toBe(0);
    expect(readFileSync(`${path}.moved`).equals(bytes)).toBe(true);
    rmSync(path);
  });

  it('can be written beside others, and be left in the middle', async () => {
    const paths = Array.from({ length: 6 }, (_, index) => pathIn(`beside-${index}`));
    const files = await Promise.all(paths.map((path) => BulkFile.open(path, 'w')));
    await Promise.all(files.map(writePieces));
    await Promise.all(files.slice(1).map((file) => file.sync()));
    await Promise.all(files.map((file) => file.close()));
    for (const path of paths.slice(1)) expect(readFileSync(path).equals(bytes)).toBe(true);
  });
});

function pathIn(name: string): string {
  return join(resources.use(tempDir(name)).path, 'file');
}

async function writePieces(file: BulkFile): Promise<void> {
  const piece = Buffer.alloc(700_001);
  for (let at = 0; at < bytes.length; at += piece.length) {
    const count = bytes.copy(piece, 0, at);
    await file.write(piece.subarray(0, count));
    // It may change from here on.
    piece.fill(0);
  }
}

/** As a device does whose sectors are larger. */
function refuseDirect(): void {
  const write = Reflect.get(handles, 'write') as (...args: unknown[]) => unknown;
  function refusing(this: Handle, ...args: unknown[]): unknown {
    if ((flagsOf(this.fd) & constants.O_DIRECT) === 0) return write.apply(this, args);
    return Promise.reject(Object.assign(new Error('EINVAL'), { code: 'EINVAL' }));
  }
  jest.spyOn(handles, 'write').mockImplementation(refusing as never);
}

function flagsOf(fd: number): number {
  if (!readlinkSync(`/proc/self/fd/${fd}`).endsWith('file')) throw new Error('another file');
  const [, flags] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
  return Number.parseInt(flags ?? '', 8);
}
