import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { hermeticEnvironment } from '../support/baleen.ts';
import { Child } from '../support/child.ts';
import { command, tryCommand } from '../support/command.ts';
import { DataDirectory } from '../support/data-directory.ts';
import { indexOf, seededImage } from '../support/images.ts';
import { Random } from '../support/random.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

jest.setTimeout(180_000);

const main = join(import.meta.dirname, '../../src/main.ts');
const mebibyte = 1024 * 1024;
const partSize = 8 * mebibyte;

/** Some exports are done before they can be killed. */
const mostTries = 100;

let data: DataDirectory;
let folder: TempDir;
let whole: Buffer;
const file = (name: string): string => join(folder.path, name);
const options = { env: hermeticEnvironment() };
const exporting = (...args: readonly string[]): string[] => [
  main,
  'export',
  'krill:1',
  ...args,
  '--data',
  data.path,
];

beforeAll(async () => {
  data = await DataDirectory.create();
  folder = tempDir('exports');
  const layers = Array.from({ length: 8 }, (_, number) => 4 * mebibyte + number);
  const platforms = { amd64: seededImage(layers, 1), arm64: seededImage(layers, 2) };
  await data.cache('docker.io/library/krill', '1', indexOf(platforms));
  await command(process.execPath, exporting('-o', file('whole.tar')), options);
  whole = readFileSync(file('whole.tar'));
});

afterAll(async () => {
  await data[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Bytes that an export has written by now, under whatever name. */
function written(name: string): number {
  const files = readdirSync(folder.path).filter((each) => each.startsWith(`${name}.`));
  return files.reduce((sum, each) => {
    return sum + (statSync(file(each), { throwIfNoEntry: false })?.size ?? 0);
  }, 0);
}

/** Kills an export once it has written so many bytes; whether that was before its end. */
async function killAt(name: string, bytes: number, ...args: readonly string[]): Promise<boolean> {
  await using export_ = new Child(process.execPath, exporting('-o', file(name), ...args), options);
  // A look at every turn: the whole of it takes a moment.
  while (export_.exit === undefined && written(name) < bytes) await turn();
  const { signal } = await export_.kill();
  return signal === 'SIGKILL';
}

function partFiles(): string[] {
  return readdirSync(folder.path)
    .filter((name) => name.startsWith('parts.tar.'))
    .toSorted();
}

describe('an export that is killed', () => {
  it('leaves nothing that looks finished, and is done when it is run again', async () => {
    const random = new Random(5);
    // What an earlier one has left under the name stays whole until the new one is.
    writeFileSync(file('killed.tar'), 'an earlier one');
    let kills = 0;
    for (let tries = 0; kills < 10; tries++) {
      expect(tries).toBeLessThan(mostTries);
      // What the last one has left would count.
      rmSync(file('killed.tar.partial'), { force: true });
      if (await killAt('killed.tar', random.between(1, whole.length - 1))) {
        kills++;
        expect(readFileSync(file('killed.tar'), 'utf8')).toBe('an earlier one');
      } else {
        writeFileSync(file('killed.tar'), 'an earlier one');
      }
    }
    expect(existsSync(file('killed.tar.partial'))).toBe(true);
    await command(process.execPath, exporting('-o', file('killed.tar')), options);
    expect(readFileSync(file('killed.tar')).equals(whole)).toBe(true);
    expect(readdirSync(folder.path).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('leaves no part that is not whole, and is done when it is run again', async () => {
    const random = new Random(6);
    const split = ['--split', '8MiB'];
    let kills = 0;
    for (let tries = 0; kills < 10; tries++) {
      expect(tries).toBeLessThan(mostTries);
      for (const part of partFiles()) rmSync(file(part));
      if (!(await killAt('parts.tar', random.between(1, whole.length - 1), ...split))) continue;
      kills++;
      for (const part of partFiles().filter((name) => !name.endsWith('.partial'))) {
        const start = (Number(part.slice(-3)) - 1) * partSize;
        const expected = whole.subarray(start, start + partSize);
        expect(readFileSync(file(part)).equals(expected)).toBe(true);
      }
    }
    await command(process.execPath, exporting('-o', file('parts.tar'), ...split), options);
    const pieces = partFiles().map((name) => readFileSync(file(name)));
    expect(Buffer.concat(pieces).equals(whole)).toBe(true);
  });
});

describe('an export that is stopped', () => {
  it('takes its beginnings away', async () => {
    writeFileSync(file('stopped.tar.partial'), 'of one that was killed');
    await using export_ = new Child(
      process.execPath,
      exporting('-o', file('stopped.tar'), '--compress', 'zstd:19'),
      options,
    );
    await export_.until('writes', () => statSync(file('stopped.tar.partial')).size > 100);
    export_.signal('SIGINT');
    expect((await export_.exited).code).toBe(1);
    expect(export_.stderr).toContain('nothing was written: stopped by SIGINT');
    expect(existsSync(file('stopped.tar.partial'))).toBe(false);
    expect(existsSync(file('stopped.tar'))).toBe(false);
  });

  it('says so where nobody reads its output any more', async () => {
    const args = exporting('-o', '-').map((arg) => `'${arg}'`);
    const pipe = `set -o pipefail; ${process.execPath} ${args.join(' ')} | head -c 1000 >/dev/null`;
    const { code, stderr } = await tryCommand('bash', ['-c', pipe], options);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('nothing was written: whoever reads the output has gone'),
    ]);
  });

  it('gives a pipe the same bytes as a file', async () => {
    const args = exporting('-o', '-').map((arg) => `'${arg}'`);
    const pipe = `${process.execPath} ${args.join(' ')} | cmp - '${file('whole.tar')}'`;
    expect((await tryCommand('bash', ['-c', pipe], options)).code).toBe(0);
  });

  it('writes into what is no file, and replaces it by none', async () => {
    const args = exporting('-o', '/dev/null');
    await command(process.execPath, args, options);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });
});
