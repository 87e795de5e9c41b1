import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Pace } from '../../src/lib/pace.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { Layout } from '../../src/store/layout.ts';
import { dueIn, newPass, parsePass, weightOf } from '../../src/store/scrub-pass.ts';
import { Scrub, type ScrubOptions } from '../../src/store/scrub.ts';
import type { WrongBlob } from '../../src/store/withdraw.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

describe('the pace of the scrub', () => {
  const pass = (done: number) => ({ ...newPass(1_000), after: 'x', done });
  it.each([
    ['begins at once', pass(0), 500, 1_000, 0],
    ['waits for its share of the time', pass(100), 400, 1_000, 250],
    ['waits for the rest of it', pass(100), 400, 1_100, 150],
    ['makes up for what it has missed', pass(100), 400, 9_000, 0],
    ['takes the whole interval where nothing is counted yet', pass(100), 0, 1_000, 1_000],
    ['takes no more than the interval after a store has shrunk', pass(900), 400, 1_000, 1_000],
  ])('%s', (_name, at, total, now, expected) => {
    expect(dueIn(at, total, 1_000, now)).toBe(expected);
  });

  it('counts a small file for more than its bytes', () => {
    expect(weightOf(10, 1)).toBeGreaterThan(10);
    expect(weightOf(1_000, 10)).toBe(weightOf(400, 4) + weightOf(600, 6));
  });
});

describe('how far the scrub had come', () => {
  const good = { startedAt: 5, first: 'sha256/cd/y', after: 'sha256/ab/x', done: 7 };
  it('is read back', () => {
    expect(parsePass(JSON.stringify(good), 5)).toEqual(good);
  });
  it('is read back where an earlier version has written it', () => {
    const { first: _, ...old } = good;
    expect(parsePass(JSON.stringify(old), 5)).toEqual({ ...good, first: '' });
  });
  it.each([
    ['', 5],
    ['{', 5],
    ['null', 5],
    [JSON.stringify(good), 4],
    [JSON.stringify({ ...good, startedAt: '5' }), 5],
    [JSON.stringify({ ...good, first: 1 }), 5],
    [JSON.stringify({ ...good, after: 1 }), 5],
    [JSON.stringify({ ...good, done: -1 }), 5],
  ])('is not taken from %j at %d', (text, now) => {
    expect(parsePass(text, now)).toBeUndefined();
  });
});

describe('the scrub', () => {
  const contents = Array.from({ length: 20 }, (_, index) => Buffer.from(`content ${index}`));
  let folder: TempDir;
  let layout: Layout;
  let stopping: AbortController;
  let running: Promise<void>;
  const verified: number[] = [];
  const wrong: WrongBlob[] = [];
  const failed: string[] = [];
  let read = 0;
  let passes = 0;

  beforeEach(async () => {
    folder = tempDir('scrub');
    layout = new Layout(folder.path);
    stopping = new AbortController();
    read = passes = verified.length = wrong.length = failed.length = 0;
    for (const content of contents) {
      const path = layout.blob(digestOf(content));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
    }
  });
  afterEach(async () => {
    stopping.abort();
    await running;
    await folder[Symbol.asyncDispose]();
  });

  const start = (options: Partial<ScrubOptions> = {}): void => {
    const scrub = new Scrub({
      layout,
      interval: 1,
      pace: new Pace(Infinity),
      usage: { bytes: 1, blobs: 1 },
      withdraw: (blob) => Promise.resolve(wrong.push(blob) > 0),
      first: () => Promise.resolve(new Set()),
      observer: {
        read: (bytes) => (read += bytes),
        verified: () => verified.push(1),
        failed: (name) => failed.push(name),
        passEnded: () => passes++,
      },
      ...options,
    });
    running = scrub.run(stopping.signal);
  };

  it('reads all that is stored, and takes what is wrong out of service', async () => {
    const rotten = digestOf(contents[3]!);
    await writeFile(layout.blob(rotten), 'rotten');
    start({ interval: 60_000 * 60, usage: { bytes: 1e12, blobs: 0 } });
    await waitFor('the pass to end', () => passes === 1);
    expect(verified).toHaveLength(20);
    expect(read).toBeGreaterThan(100);
    expect(wrong).toEqual([
      expect.objectContaining({
        digest: rotten,
        finder: 'scrub',
        detail: expect.stringMatching(/^its 6 bytes are those of sha256:/),
      }),
    ]);
  });

  it('goes round and round', async () => {
    start();
    await waitFor('three passes', () => passes >= 3);
    expect(verified.length).toBeGreaterThanOrEqual(60);
  });

  it('reads what is pinned before all else, and nothing twice', async () => {
    const last = contents.map((content) => digestOf(content)).toSorted();
    const pinned = last.slice(-3);
    for (const digest of pinned) await writeFile(layout.blob(digest), 'rotten');
    const nowhere = digestOf(Buffer.from('not cached yet'));
    // One blob is due now, the next one in an hour.
    start({
      interval: 20 * 3_600_000,
      usage: { bytes: 0, blobs: 20 },
      first: () => Promise.resolve(new Set([nowhere, ...pinned])),
    });
    await waitFor('the first blob', () => verified.length === 1);
    stopping.abort();
    await running;
    expect(wrong.map(({ digest }) => digest)).toEqual([pinned[0]]);
    stopping = new AbortController();
    start({
      interval: 20 * 3_600_000,
      usage: { bytes: 1e12, blobs: 0 },
      first: () => Promise.resolve(new Set([nowhere, ...pinned])),
    });
    await waitFor('the pass to end', () => passes === 1);
    expect(wrong.slice(0, 3).map(({ digest }) => digest)).toEqual(pinned);
    // After the restart, what was read of them is read once more among the others.
    expect(verified).toHaveLength(21);
  });

  it('reads all the same where it cannot be known what is pinned', async () => {
    start({ first: () => Promise.reject(new Error('EIO')) });
    await waitFor('a pass to end', () => passes >= 1);
    expect(verified.length).toBeGreaterThanOrEqual(20);
    expect(failed).toContain('pins');
  });

  it('goes on after a restart where it was', async () => {
    // A blob is due now, the next one in an hour: some have been read, the others not.
    start({ interval: 20 * 3_600_000, usage: { bytes: 0, blobs: 20 } });
    await waitFor('the first blob', () => verified.length === 1);
    stopping.abort();
    await running;
    const noted = JSON.parse(await readFile(join(layout.root, 'scrub.json'), 'utf8')) as {
      after: string;
    };
    expect(noted.after).toMatch(/^sha256\//);
    stopping = new AbortController();
    start({ interval: 20 * 3_600_000, usage: { bytes: 1e12, blobs: 0 } });
    await waitFor('the pass to end', () => passes === 1);
    expect(verified).toHaveLength(20);
  });
});
