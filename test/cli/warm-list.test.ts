import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Input } from '../../src/cli/context.ts';
import { describeFaults, gatherImages, WarmListFault } from '../../src/cli/warm-list.ts';

let folder: string;
let list: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'baleen-list-'));
  list = join(folder, 'images.txt');
  writeFileSync(list, 'nginx:1.27\nNope\nredis:7 platform=linux/arm64\n');
});

afterAll(() => rmSync(folder, { recursive: true }));

const piped = (text: string): Input => Readable.from([text]);
const terminal = (): Input => Object.assign(Readable.from(['never']), { isTTY: true });

describe('the images to be warmed', () => {
  it('are those of the command line, of files, and of what is piped in where that is asked for', async () => {
    const { images, faults } = await gatherImages(['a:1', 'b:1.*'], [list, '-'], piped('c:1'));
    expect(images).toEqual([
      { reference: 'a:1' },
      { reference: 'b:1.*' },
      { reference: 'nginx:1.27' },
      { reference: 'redis:7', platforms: ['linux/arm64'] },
      { reference: 'c:1' },
    ]);
    expect(faults).toEqual([
      `${list}:2: "Nope" is no image: names of images have no capital letters`,
    ]);
    expect(describeFaults(faults)).toBe(
      `left out, since they are no images (1 place):\n  ${faults[0] ?? ''}\n`,
    );
  });

  it('are those that another program pipes in where nothing else is said', async () => {
    expect((await gatherImages([], [], piped('a:1 b:2\n'))).images).toHaveLength(2);
    expect((await gatherImages(['a:1'], [], piped('b:2'))).images).toEqual([{ reference: 'a:1' }]);
    expect((await gatherImages([], [], terminal())).images).toEqual([]);
    expect(await gatherImages([], [], piped(''))).toEqual({ images: [], faults: [] });
  });

  it.each([
    [['Nope'], [], /"Nope" is no image/],
    [['sha256:0123456789abcdef'], [], /is the ID of an image/],
    [[], ['/no/such/file'], /^\/no\/such\/file: there is no such file$/],
    [[], ['/'], /^\/: it is a directory$/],
  ])('are none where the command line is wrong: %j %j', async (references, files, reason) => {
    const gathered = gatherImages(references, files, terminal());
    await expect(gathered).rejects.toBeInstanceOf(WarmListFault);
    await expect(gathered).rejects.toThrow(reason);
  });

  it('are not read from what never ends', async () => {
    const endless = Readable.from(
      (function* () {
        for (;;) yield 'x'.repeat(8 * 1024 * 1024);
      })(),
    );
    await expect(gatherImages([], ['-'], endless)).rejects.toThrow(
      'standard input: a list of images may have up to 64 MiB',
    );
  });
});
