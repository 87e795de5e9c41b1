import { appendFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { EventQueue } from '../../src/events/event-queue.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const MiB = 1024 * 1024;

let directory: TempDir;
let folder: string;
let dropped: [number, string][];

beforeEach(() => {
  directory = tempDir('queue');
  folder = join(directory.path, 'scanner');
  dropped = [];
});

afterEach(async () => directory[Symbol.asyncDispose]());

function open(limit = MiB): EventQueue {
  return new EventQueue({
    folder,
    tmpDir: join(directory.path, 'tmp'),
    limit,
    onDropped: (count, reason) => dropped.push([count, reason]),
  });
}

const line = (n: number, size = 0): string => JSON.stringify({ n, pad: 'x'.repeat(size) });

/** Numbers of the lines, in order, taken off the front until nothing is left. */
async function drain(queue: EventQueue, most = 7): Promise<number[]> {
  const numbers: number[] = [];
  for (;;) {
    const batch = await queue.read(most, MiB);
    if (batch === undefined) return numbers;
    expect(batch.lines.length).toBeLessThanOrEqual(most);
    numbers.push(...batch.lines.map((text) => (JSON.parse(text) as { n: number }).n));
    await queue.advance(batch.end);
  }
}

const upTo = (n: number, from = 0): number[] =>
  Array.from({ length: n - from }, (_, i) => from + i);

async function segments(): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).toSorted();
}

describe('the queue of events', () => {
  it('gives back in order what was put in, and leaves no file behind when it is empty', async () => {
    const queue = open();
    for (let n = 0; n < 20; n += 2) await queue.append([line(n), line(n + 1)], n % 4 === 0);
    expect(queue.length).toBe(20);
    expect(await drain(queue)).toEqual(upTo(20));
    expect(queue.length).toBe(0);
    await queue.close();
    expect(await readdir(directory.path)).not.toContain('scanner');
  });

  it('gives the same batch until it is told that it is done with', async () => {
    const queue = open();
    await queue.append([line(1), line(2), line(3)], false);
    const first = await queue.read(2, MiB);
    expect((await queue.read(2, MiB))?.lines).toEqual(first?.lines);
    await queue.advance(first!.end);
    expect((await queue.read(2, MiB))?.lines).toEqual([line(3)]);
    expect(queue.length).toBe(1);
  });

  it('gives one line at least, however large, and no more than so many bytes', async () => {
    const queue = open();
    await queue.append([line(1, 200_000), line(2), line(3), line(4, 500)], false);
    const sizes: number[] = [];
    for (let batch = await queue.read(9, 100); batch; batch = await queue.read(9, 100)) {
      sizes.push(batch.lines.length);
      await queue.advance(batch.end);
    }
    expect(sizes).toEqual([1, 2, 1]);
  });

  it('goes on where it was after a restart', async () => {
    const before = open();
    await before.append(
      upTo(10).map((n) => line(n)),
      true,
    );
    const batch = await before.read(4, MiB);
    await before.advance(batch!.end);
    // No close: the process was killed.
    const queue = open();
    await queue.append([line(10)], true);
    expect(queue.length).toBe(7);
    expect(await drain(queue)).toEqual(upTo(11, 4));
  });

  it('tells everything again where the cursor was lost or is no cursor', async () => {
    const before = open();
    await before.append(
      upTo(5).map((n) => line(n)),
      false,
    );
    await before.advance((await before.read(3, MiB))!.end);
    await writeFile(join(folder, 'cursor'), '{"segment":1,"offset":-7}');
    expect(await drain(open())).toEqual(upTo(5));
  });

  it.each([
    ['half a line', (path: string) => appendFile(path, '{"n":99,"pa')],
    ['zeros', (path: string) => appendFile(path, Buffer.alloc(4096))],
    ['a line that is no JSON', (path: string) => appendFile(path, 'what is this\n')],
    ['a cut', async (path: string) => truncate(path, (await stat(path)).size - 3)],
  ])('skips what a crash left at the end of a segment: %s', async (_what, damage) => {
    const before = open();
    await before.append(
      upTo(4).map((n) => line(n)),
      false,
    );
    const [segment] = await segments();
    await damage(join(folder, segment!));
    const queue = open();
    await queue.append([line(4)], false);
    const whole = _what === 'a cut' ? [0, 1, 2, 4] : upTo(5);
    expect(await drain(queue)).toEqual(whole);
    expect(queue.length).toBe(0);
    expect(dropped).toEqual([[1, 'damaged']]);
  });

  it('goes on with the rest where somebody has removed a segment', async () => {
    const before = open();
    await before.append([line(0), line(1)], false);
    const queue = open();
    await queue.append([line(2)], false);
    const [segment] = await segments();
    await rm(join(folder, segment!));
    expect(await drain(queue)).toEqual([2]);
    expect(dropped).toEqual([[2, 'damaged']]);
  });

  it('drops the oldest where there is no room, and counts them', async () => {
    const limit = 64 * 1024;
    const queue = open(limit);
    for (let n = 0; n < 300; n += 1) {
      await queue.append([line(n, 1_000)], false);
      expect(queue.bytes).toBeLessThanOrEqual(limit);
    }
    const lost = dropped.reduce((sum, [count]) => sum + count, 0);
    expect(dropped.every(([, reason]) => reason === 'full')).toBe(true);
    expect(queue.length).toBe(300 - lost);
    // No more goes than has to.
    expect(queue.bytes).toBeGreaterThan(limit * 0.75);
    expect(await drain(queue)).toEqual(upTo(300, lost));
  });

  it('drops the oldest of what comes all at once, too', async () => {
    const limit = 64 * 1024;
    const queue = open(limit);
    await queue.append(
      upTo(300).map((n) => line(n, 1_000)),
      true,
    );
    expect(queue.bytes).toBeLessThanOrEqual(limit);
    const left = await drain(queue);
    expect(left.length).toBeGreaterThan(40);
    expect(left).toEqual(upTo(300, 300 - left.length));
  });

  it('does not count as lost what was told before', async () => {
    const queue = open(64 * 1024);
    await queue.append(
      upTo(10).map((n) => line(n, 1_000)),
      false,
    );
    await drain(queue);
    for (let n = 10; n < 100; n += 1) {
      await queue.append([line(n, 1_000)], false);
      expect(await drain(queue)).toEqual([n]);
    }
    expect(dropped).toEqual([]);
  });

  it('keeps what came where the batch on its way was dropped meanwhile', async () => {
    const queue = open(64 * 1024);
    await queue.append([line(0)], false);
    const onItsWay = await queue.read(1, MiB);
    for (let n = 1; n < 200; n += 1) await queue.append([line(n, 1_000)], false);
    await queue.advance(onItsWay!.end);
    const left = await drain(queue);
    expect(left.at(-1)).toBe(199);
    expect(left).toEqual(upTo(200, left[0]));
  });

  it('puts nothing in where the disk refuses, and works again when it does not', async () => {
    // A file in the place of the folder refuses as a full disk does: also where Baleen runs as root.
    await writeFile(folder, '');
    const queue = open();
    await expect(queue.append([line(0)], true)).rejects.toThrow(/ENOTDIR|EEXIST/);
    await rm(folder);
    await queue.append([line(1)], true);
    expect(await drain(queue)).toEqual([1]);
  });

  it('loses nothing and repeats nothing, whatever the order of calls and restarts', async () => {
    const step = fc.oneof(
      fc.integer({ min: 1, max: 5 }).map((count) => ({ do: 'append' as const, count })),
      fc.integer({ min: 1, max: 4 }).map((count) => ({ do: 'take' as const, count })),
      fc.constant({ do: 'restart' as const, count: 0 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        await rm(folder, { recursive: true, force: true });
        let queue = open();
        let put = 0;
        const taken: number[] = [];
        for (const each of steps) {
          if (each.do === 'restart') queue = open();
          else if (each.do === 'append') {
            await queue.append(
              upTo(put + each.count, put).map((n) => line(n)),
              false,
            );
            put += each.count;
          } else {
            const batch = await queue.read(each.count, MiB);
            if (batch === undefined) continue;
            taken.push(...batch.lines.map((text) => (JSON.parse(text) as { n: number }).n));
            await queue.advance(batch.end);
          }
        }
        taken.push(...(await drain(queue)));
        expect(taken).toEqual(upTo(put));
      }),
      { numRuns: 60 },
    );
    expect(dropped).toEqual([]);
  });
});
