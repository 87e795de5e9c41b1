import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BundleOutput } from '../../src/bundle/bundle-output.ts';
import { CompressedOutput } from '../../src/bundle/compressed-output.ts';
import { FileOutput } from '../../src/bundle/file-output.ts';
import { mostParts, SplitOutput } from '../../src/bundle/split-output.ts';
import { DataDirectory } from '../support/data-directory.ts';
import { describeWith } from '../support/describe-with.ts';
import { seededBytes, seededImage } from '../support/images.ts';
import { runCommand } from '../support/run-command.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

let folder: TempDir;
const file = (name: string): string => join(folder.path, name);

beforeAll(() => {
  folder = tempDir('outputs');
});

afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

describe('a file that a bundle is written to', () => {
  it('has its name when it is finished, and not before', async () => {
    const output = await FileOutput.create(file('a'));
    await output.write(Buffer.from('one '));
    await output.write(Buffer.from('two'));
    expect(existsSync(file('a'))).toBe(false);
    await output.finish();
    expect(readFileSync(file('a'), 'utf8')).toBe('one two');
    expect(existsSync(file('a.partial'))).toBe(false);
  });

  it('is the later of two that are written at once, and the earlier fails', async () => {
    const earlier = await FileOutput.create(file('b'));
    await earlier.write(Buffer.from('earlier'));
    const later = await FileOutput.create(file('b'));
    await later.write(Buffer.from('later'));
    await expect(earlier.finish()).rejects.toThrow('somebody else writes');
    await earlier.abandon();
    await later.finish();
    expect(readFileSync(file('b'), 'utf8')).toBe('later');
  });

  it('goes where it cannot have its name', async () => {
    const output = await FileOutput.create(file('d'));
    await output.write(Buffer.from('much'));
    mkdirSync(file('d'));
    await expect(output.finish()).rejects.toMatchObject({ code: 'EISDIR' });
    await output.abandon();
    expect(existsSync(file('d.partial'))).toBe(false);
  });

  it('goes where it is abandoned, and what was there stays', async () => {
    writeFileSync(file('c'), 'before');
    const output = await FileOutput.create(file('c'));
    await output.write(Buffer.from('after'));
    await output.abandon();
    expect(readFileSync(file('c'), 'utf8')).toBe('before');
    expect(existsSync(file('c.partial'))).toBe(false);
  });
});

describe('a bundle that is cut into parts', () => {
  it('has no more of them than stand in order', async () => {
    const output = await SplitOutput.create(file('many'), 1);
    const write = output.write(Buffer.alloc(mostParts + 1));
    await expect(write).rejects.toThrow('more than 999 parts');
    await output.abandon();
    expect(readdirSync(folder.path).filter((name) => name.startsWith('many'))).toEqual([]);
  });
});

describe('a bundle that is compressed', () => {
  it.each(['zstd', 'gzip'] as const)('fails with what its file fails with: %s', async (kind) => {
    let isAbandoned = false;
    const broken: BundleOutput = {
      write: async () => {
        await turn();
        throw new Error('the disk is full');
      },
      finish: () => Promise.reject(new Error('it is not to be finished')),
      abandon: () => {
        isAbandoned = true;
        return Promise.resolve();
      },
    };
    const output = new CompressedOutput({ kind, level: 1 }, broken);
    const bytes = seededBytes(1_000_000, 1);
    const write = async (): Promise<void> => {
      for (let number = 0; number < 100; number++) await output.write(bytes);
      await output.finish();
    };
    await expect(write()).rejects.toThrow('the disk is full');
    await output.abandon();
    expect(isAbandoned).toBe(true);
  });
});

await describeWith(
  'a disk that is too small for a bundle',
  [],
  () => {
    it('is found out about at once, or ends the export, and has nothing on it afterwards', async () => {
      await using data = await DataDirectory.create();
      await using disk = new SmallDisk(4);
      await data.cache('docker.io/library/krill', '1', seededImage([3_000_000, 3_000_000], 1));
      const args = ['export', 'krill:1', '--data', data.path, '-o', join(disk.path, 'bundle.tar')];
      const asked = await runCommand(args);
      expect(asked.status).toBe(1);
      expect(asked.stderr).toMatch(/the bundle takes 5\.7\d MiB, and there are 4 MiB free in /);
      for (const more of [
        ['--compress', 'gzip:1'],
        ['--compress', 'zstd:1', '--split', '1MiB'],
      ]) {
        const run = await runCommand([...args, ...more]);
        expect(run.status).toBe(1);
        expect(run.stderr).toContain('nothing was written: ENOSPC');
        expect(readdirSync(disk.path)).toEqual([]);
      }
    });
  },
  { root: true },
);
