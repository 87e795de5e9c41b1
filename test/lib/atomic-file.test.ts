import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, readFile, readdir, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  isMissing,
  removeFile,
  writeFileAtomic,
  writeFilesAtomic,
} from '../../src/lib/atomic-file.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

function version(digit: number): string {
  return String(digit).repeat(20_000);
}

describe('atomic files', () => {
  let temporary: TempDir;
  let count = 0;
  beforeAll(() => {
    temporary = tempDir('atomic');
  });
  afterAll(async () => {
    await temporary[Symbol.asyncDispose]();
  });

  function places(): { root: string; tmpDir: string } {
    const root = join(temporary.path, String((count += 1)));
    return { root, tmpDir: join(root, 'tmp') };
  }

  it('writes a file, its folders, and its time', async () => {
    const { root, tmpDir } = places();
    const path = join(root, 'a', 'b', 'c', 'file');
    await writeFileAtomic(path, 'text', { tmpDir, mtime: 1_700_000_000_123 });
    expect(await readFile(path, 'utf8')).toBe('text');
    expect(Math.round((await stat(path)).mtimeMs)).toBe(1_700_000_000_123);
    expect(await readdir(tmpDir)).toEqual([]);
  });

  it.each([true, false])('replaces what was there (durable: %s)', async (durable) => {
    const { root, tmpDir } = places();
    const path = join(root, 'file');
    await writeFileAtomic(path, Buffer.from('a longer text'), { tmpDir, durable });
    await writeFileAtomic(path, Buffer.from('short'), { tmpDir, durable });
    expect(await readFile(path, 'utf8')).toBe('short');
  });

  it('never shows a reader anything but a whole version', async () => {
    const { root, tmpDir } = places();
    const path = join(root, 'file');
    await writeFileAtomic(path, version(0), { tmpDir, durable: false });
    const seen = new Set<string>();
    const writing = new AbortController();
    const reading = (async () => {
      while (!writing.signal.aborted) seen.add(await readFile(path, 'utf8'));
    })();
    for (let digit = 1; digit < 10; digit += 1) {
      await Promise.all([
        writeFileAtomic(path, version(digit), { tmpDir, durable: false }),
        writeFileAtomic(path, version(digit), { tmpDir, durable: false }),
      ]);
    }
    writing.abort();
    await reading;
    const whole = new Set(Array.from({ length: 10 }, (_, digit) => version(digit)));
    expect([...seen].every((text) => whole.has(text))).toBe(true);
  });

  it('writes and removes files in folders that others take away whenever they are empty', async () => {
    const { root, tmpDir } = places();
    const folder = join(root, 'a', 'b');
    const path = join(folder, 'file');
    const over = new AbortController();
    const taking = (async () => {
      let taken = 0;
      while (!over.signal.aborted) {
        await rmdir(folder).then(
          () => (taken += 1),
          () => undefined,
        );
        await rmdir(join(root, 'a')).catch(() => undefined);
      }
      return taken;
    })();
    for (let round = 0; round < 500; round += 1) {
      await writeFileAtomic(path, 'text', { tmpDir, durable: false });
      expect(await removeFile(path)).toBe(true);
    }
    over.abort();
    expect(await taking).toBeGreaterThan(0);
  });

  it('writes many files into many folders', async () => {
    const { root, tmpDir } = places();
    const files = Array.from({ length: 60 }, (_, index) => ({
      path: join(root, `folder ${index % 7}`, 'deep', `file ${index}`),
      bytes: `bytes ${index}`,
    }));
    await writeFilesAtomic(files, { tmpDir });
    const read = await Promise.all(files.map(({ path }) => readFile(path, 'utf8')));
    expect(read).toEqual(files.map(({ bytes }) => bytes));
    expect(await readdir(tmpDir)).toEqual([]);
    await writeFilesAtomic([], { tmpDir });
  });

  it('leaves nothing behind when it fails, and keeps what was there', async () => {
    const { root, tmpDir } = places();
    const good = join(root, 'good');
    const folder = join(root, 'folder');
    await writeFileAtomic(good, 'before', { tmpDir });
    await mkdir(join(folder, 'occupied'), { recursive: true });
    await expect(writeFileAtomic(folder, 'x', { tmpDir })).rejects.toMatchObject({
      code: expect.stringMatching(/EISDIR|ENOTEMPTY|EEXIST/),
    });
    await writeFile(join(root, 'plain'), 'not a folder');
    await expect(
      writeFilesAtomic(
        [
          { path: join(root, 'plain', 'below'), bytes: 'x' },
          { path: join(root, 'other'), bytes: 'x' },
        ],
        { tmpDir },
      ),
    ).rejects.toMatchObject({ code: 'ENOTDIR' });
    expect(await readdir(tmpDir)).toEqual([]);
    expect(await readFile(good, 'utf8')).toBe('before');
  });

  it('removes a file, and says whether there was one', async () => {
    const { root, tmpDir } = places();
    const path = join(root, 'file');
    await writeFileAtomic(path, '', { tmpDir });
    expect(await removeFile(path)).toBe(true);
    expect(await removeFile(path)).toBe(false);
    expect(await removeFile(join(root, 'no', 'such', 'folder'))).toBe(false);
    expect(isMissing(await stat(path).catch((error: unknown) => error))).toBe(true);
    expect(isMissing(undefined)).toBe(false);
  });
});
