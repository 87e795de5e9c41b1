import { describe, expect, it, jest } from '@jest/globals';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FolderLock } from '../../src/lib/folder-lock.ts';
import { Child } from '../support/child.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(30_000);

const lockModule = join(import.meta.dirname, '../../src/lib/folder-lock.ts');

describe('the lock of a folder', () => {
  const resources = testResources();
  const place = (): string => join(resources.use(tempDir('lock')).path, 'v1/lock');

  /** Another process that holds it. */
  const holder = async (path: string): Promise<Child> => {
    const program = `
      const { FolderLock } = await import(${JSON.stringify(lockModule)});
      globalThis.lock = FolderLock.take(${JSON.stringify(path)});
      console.log(globalThis.lock === undefined ? 'held' : 'taken');
      setInterval(() => undefined, 1000);
    `;
    const child = resources.use(
      new Child(process.execPath, ['--input-type=module', '--eval', program]),
    );
    await waitFor('the other process to say what became of it', () => child.stdout !== '');
    return child;
  };

  it('is held by one at a time, and given back', () => {
    const path = place();
    const lock = FolderLock.take(path);
    expect(lock).toBeDefined();
    expect(FolderLock.take(path)).toBeUndefined();
    lock?.[Symbol.dispose]();
    const again = FolderLock.take(path);
    expect(again).toBeDefined();
    again?.[Symbol.dispose]();
  });

  it('keeps other processes out, and is free the moment its own is killed', async () => {
    const path = place();
    const first = await holder(path);
    expect(first.stdout).toMatch('taken');
    expect((await holder(path)).stdout).toMatch('held');
    expect(FolderLock.take(path)).toBeUndefined();
    await first.kill();
    using lock = FolderLock.take(path);
    expect(lock).toBeDefined();
  });

  it('leaves two empty files', async () => {
    const path = place();
    using _lock = FolderLock.take(path);
    const names = await readdir(join(path, '..'));
    expect(names.toSorted()).toEqual(['lock', 'lock.gate']);
    for (const name of names) expect((await stat(join(path, '..', name))).size).toBe(0);
  });

  // It would keep the file system from being remounted read-only.
  it('keeps no file open for writing', () => {
    const path = place();
    using _lock = FolderLock.take(path);
    const open = readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const isOurs = readlinkSync(`/proc/self/fd/${fd}`).startsWith(path);
        return isOurs ? [readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')] : [];
      } catch {
        return [];
      }
    });
    expect(open).toHaveLength(1);
    // The last digit of the flags is the access mode: O_RDONLY is 0 (open(2)).
    expect(open[0]).toMatch(/^flags:\s+\d*0$/m);
  });

  it('goes to one of many who want it at the same moment', async () => {
    const path = place();
    const all = await Promise.all(Array.from({ length: 6 }, () => holder(path)));
    const said = all.map(({ stdout }) => stdout.trim());
    expect(said.filter((each) => each === 'taken')).toHaveLength(1);
  });

  it('fails where there can be no such file', async () => {
    const path = place();
    await writeFile(join(path, '../..', 'v1'), 'a file where a folder has to be');
    expect(() => FolderLock.take(path)).toThrow('EEXIST');
  });
});
