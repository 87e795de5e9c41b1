import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BufferPool } from '../../src/lib/buffer-pool.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { DiskBlobStore } from '../../src/store/disk-blob-store.ts';
import { Evictor } from '../../src/store/evictor.ts';
import { Layout } from '../../src/store/layout.ts';
import type { StoreObserver } from '../../src/store/store-observer.ts';
import { waitFor } from '../support/wait-for.ts';
import { drain, noLimit } from '../support/scaffold.ts';

const { signal } = new AbortController();
let data: string;
let layout: Layout;
let store: DiskBlobStore;
let told: string[];

const observer: StoreObserver = {
  evicted: ({ blobs, bytes, reason }) => void told.push(`${reason} ${blobs} ${bytes}`),
  notEnough: (bytes) => void told.push(`not enough ${bytes}`),
  diskFailed: (operation, error) => void told.push(`${operation} ${String(error)}`),
  disk: (state) => void told.push(state),
};

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'baleen-evictor-'));
  layout = new Layout(data);
  told = [];
  await reopen({ maxSize: 1000 });
});
afterEach(() => rm(data, { recursive: true, force: true }));

async function reopen(policy: Partial<typeof noLimit>): Promise<void> {
  const pool = new BufferPool(1024 * 1024);
  store = await DiskBlobStore.open({ layout, pool, eviction: { ...noLimit, ...policy }, observer });
  await store.count(signal);
}

/** Puts in a blob of so many bytes, last used so many minutes ago. */
async function keep(name: string, size: number, minutes: number): Promise<Digest> {
  const digest = digestOf(Buffer.alloc(size, name));
  await store.put(digest, Buffer.alloc(size, name));
  await store.flush();
  const time = new Date(Date.now() - minutes * 60_000);
  await utimes(layout.blob(digest), time, time);
  return digest;
}

async function download(name: string, size: number): Promise<Digest> {
  const bytes = Buffer.alloc(size, name);
  const digest = digestOf(bytes);
  const writer = await store.create(digest, signal);
  try {
    await writer.setOrigin({ size });
    await writer.write([bytes]);
    expect(writer.verify()).toBe(true);
    await writer.commit();
  } finally {
    await writer.close();
  }
  return digest;
}

/** A partial download of so many bytes, the last of which came so many minutes ago. */
async function leave(name: string, size: number, minutes: number): Promise<string> {
  const folder = layout.spoolOf(digestOf(Buffer.from(name)));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'data'), Buffer.alloc(size));
  const time = new Date(Date.now() - minutes * 60_000);
  await utimes(join(folder, 'data'), time, time);
  return folder;
}

const held = async (...digests: Digest[]): Promise<boolean[]> =>
  Promise.all(digests.map(async (digest) => (await store.stat(digest)) !== undefined));

describe('a store with a limit', () => {
  it('lets those go that were used longest ago, down to the low watermark', async () => {
    const old = await keep('a', 300, 30);
    const older = await keep('b', 300, 60);
    const young = await keep('c', 300, 1);
    const fresh = await download('d', 200);
    expect(await held(old, older, young, fresh)).toEqual([true, false, true, true]);
    expect(store.usage).toMatchObject({ bytes: 800, blobs: 3 });
    expect(told).toEqual(['size 1 300']);
  });

  it('counts what was used since as used, before that is on disk', async () => {
    const first = await keep('a', 300, 60);
    const second = await keep('b', 300, 30);
    await keep('c', 300, 10);
    store.used(first);
    await download('d', 200);
    expect(await held(first, second)).toEqual([true, false]);
    await store.flush();
    expect((await stat(layout.blob(first))).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
  });

  it('keeps what is being read', async () => {
    const first = await keep('a', 300, 60);
    const second = await keep('b', 300, 30);
    await keep('c', 300, 10);
    const reader = (await store.open(first))!;
    const time = new Date(Date.now() - 3_600_000);
    await store.flush();
    await utimes(layout.blob(first), time, time);
    await download('d', 200);
    expect(await held(first, second)).toEqual([true, false]);
    expect((await drain(reader)).length).toBe(300);
  });

  it('keeps what is pinned, and evicts nothing where it cannot be known what is', async () => {
    const first = await keep('a', 300, 60);
    const second = await keep('b', 300, 30);
    await keep('c', 300, 10);
    store.evictor.protect(() => Promise.reject(new Error('no pins to be had')));
    await expect(download('d', 200)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(store.usage.blobs).toBe(3);
    store.evictor.protect(() => Promise.resolve(new Set([first])));
    await download('e', 200);
    expect(await held(first, second)).toEqual([true, false]);
  });

  it('keeps what is shielded, for as long as it is', async () => {
    const first = await keep('a', 300, 60);
    const second = await keep('b', 300, 30);
    await keep('c', 300, 10);
    const shield = store.evictor.shield(new Set([first]));
    await download('d', 200);
    expect(await held(first, second)).toEqual([true, false]);
    shield[Symbol.dispose]();
    await download('e', 200);
    expect(await held(first)).toEqual([false]);
  });

  it('keeps what a pinned tag names by now, although the last survey saw it go', async () => {
    const blobs = [await keep('a', 300, 60), await keep('b', 300, 50), await keep('c', 300, 40)];
    let pinned: Digest[] = [];
    store.evictor.protect(() => Promise.resolve(new Set(pinned)));
    await download('d', 200);
    expect(await held(...blobs)).toEqual([false, true, true]);
    pinned = blobs.slice(0, 2);
    await download('e', 200);
    expect(await held(...blobs)).toEqual([false, true, false]);
  });

  it('never commits beyond the limit: not what is larger, nor what finds all else in use', async () => {
    await expect(download('x', 1001)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const used = await keep('a', 900, 60);
    const reader = (await store.open(used))!;
    await expect(download('b', 200)).rejects.toThrow(/in use or pinned/);
    expect(store.usage.bytes).toBe(900);
    expect(told).toContainEqual(expect.stringMatching(/^not enough/));
    reader.close();
    await download('c', 200);
    expect(store.usage.bytes).toBe(200);
  });

  it('lets nothing go for what is larger than it, and keeps none of that on the disk', async () => {
    const blob = await keep('a', 300, 60);
    for (const isTold of [true, false]) {
      const writer = await store.create(digestOf(Buffer.alloc(1001, 'x')), signal);
      await writer.write([Buffer.alloc(400, 'x')]);
      if (isTold) await writer.setOrigin({ size: 1001 });
      await writer.write([Buffer.alloc(601, 'x')]);
      expect(writer.verify()).toBe(true);
      expect([writer.isKept, writer.isWhole, writer.offset]).toEqual([false, true, 1001]);
      const buffer = Buffer.alloc(400);
      const read = (position: number): Promise<number> =>
        new Promise((resolve) => {
          writer.read(buffer, 400, position, (_error, count) => resolve(count));
        });
      expect([await read(0), await read(400), await read(800)]).toEqual([400, 400, 201]);
      expect(store.occupied).toBe(300);
      await expect(writer.commit()).rejects.toThrow(/larger than storage.max_size/);
      await writer.close();
    }
    await store.evictor.sweep();
    expect(await held(blob)).toEqual([true]);
    expect(await readdir(layout.spool)).toEqual([]);
    expect(told).toEqual([]);
  });

  it('lets nothing be committed before it knows how much there is, and leaves nothing it has no room for', async () => {
    await keep('a', 900, 60);
    const pool = new BufferPool(0);
    const eviction = { ...noLimit, maxSize: 1000 };
    store = await DiskBlobStore.open({ layout, pool, eviction, observer });
    let isCommitted = false;
    const downloading = download('b', 500).then(() => (isCommitted = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([isCommitted, store.usage.isCounted]).toEqual([false, false]);
    await store.count(signal);
    await downloading;
    expect(store.usage).toMatchObject({ bytes: 500, blobs: 1 });
    const reader = (await store.open(digestOf(Buffer.alloc(500, 'b'))))!;
    await expect(download('c', 600)).rejects.toThrow(/in use or pinned/);
    expect(await readdir(layout.spool)).toEqual([]);
    reader.close();
  });

  it('holds however many are committed at once', async () => {
    const sizes = Array.from({ length: 20 }, (_, index) => 100 + index);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, store.usage.bytes)), 1);
    const ended = await Promise.allSettled(sizes.map((size) => download(String(size), size)));
    clearInterval(watch);
    expect(ended.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(5);
    expect(Math.max(most, store.usage.bytes)).toBeLessThanOrEqual(1000);
  });

  it('takes partial downloads for what they are: of the age of their last byte', async () => {
    const old = await leave('old', 300, 60);
    const young = await leave('young', 300, 1);
    await reopen({ maxSize: 1000 });
    const blob = await keep('a', 300, 30);
    await download('b', 200);
    expect(await stat(old).catch(() => 'gone')).toBe('gone');
    expect((await stat(young)).isDirectory()).toBe(true);
    expect(await held(blob)).toEqual([true]);
  });

  it('says what it would remove without removing it', async () => {
    await reopen({});
    for (const [name, minutes] of [
      ['a', 60],
      ['b', 50],
      ['c', 40],
      ['d', 30],
    ] as const) {
      await keep(name, 300, minutes);
    }
    const eviction = { ...noLimit, maxSize: 500, unusedTtl: 55 * 60_000 };
    const planning = new DiskBlobStore({ layout, pool: new BufferPool(0), eviction });
    // One is unused for too long; of the other three one is within the limit.
    expect(await planning.evictor.plan(0)).toEqual({ blobs: 3, bytes: 900 });
    expect((await store.usage.count(signal), store.usage.blobs)).toBe(4);
  });
});

describe('a store without a limit', () => {
  beforeEach(() => reopen({}));

  it('tells of partial downloads that it gave up, also where blobs stay for ever', async () => {
    await leave('old', 300, 60);
    await reopen({});
    expect(await store.evictor.expire(Date.now() - 60_000)).toEqual({ blobs: 0, bytes: 300 });
    expect(told).toEqual(['unused 0 300']);
  });

  it('counts a partial download that cannot be removed, and tries another one next', async () => {
    await leave('old', 300, 60);
    await leave('young', 200, 30);
    await reopen({});
    const inTheWay = `${layout.spool}-away`;
    await rename(layout.spool, inTheWay);
    await writeFile(layout.spool, 'no folder');
    await store.evictor.expire(Date.now());
    expect(told).toEqual([expect.stringMatching(/^evict .*ENOTDIR/)]);
    expect(store.spools.bytes).toBe(500);
    await rm(layout.spool);
    await rename(inTheWay, layout.spool);
    expect(await store.evictLeftovers(Infinity, 1)).toBe(200);
    expect(await store.evictLeftovers(Infinity, 1)).toBe(300);
    expect(store.spools.bytes).toBe(0);
    expect(await readdir(layout.spool)).toEqual([]);
  });

  it('lets what nobody used for long go where it is told to, and nothing else', async () => {
    await reopen({ unusedTtl: 45 * 60_000 });
    const old = await keep('a', 300, 60);
    const young = await keep('b', 300, 30);
    expect(await store.evictor.expire(0)).toEqual({ blobs: 1, bytes: 300 });
    expect(await held(old, young)).toEqual([false, true]);
  });

  it('gives up a little for a full disk', async () => {
    const blobs = [await keep('a', 100, 60), await keep('b', 900, 30), await keep('c', 900, 10)];
    store.evictor.relieve();
    await waitFor('the relief', () => told.length > 0);
    expect(told).toEqual(['disk-full 1 100']);
    expect(await held(...blobs)).toEqual([false, true, true]);
  });
});

it('lets nothing go that has no other copy, whatever the limits and the disk say', async () => {
  await reopen({ maxSize: 1000, unusedTtl: 60_000, keepsEverything: true });
  const blobs = [await keep('a', 100, 60), await keep('b', 900, 30), await keep('c', 900, 10)];
  store.evictor.relieve();
  await store.evictor.sweep();
  await store.evictor.expire(Date.now());
  expect(await held(...blobs)).toEqual([true, true, true]);
  expect(told.filter((line) => !line.startsWith('not enough'))).toEqual([]);
});

it('counts what comes and goes while it counts, each once', async () => {
  await reopen({});
  const blobs = Array.from({ length: 300 }, (_, index) => Buffer.from(`blob ${index}`));
  await Promise.all(blobs.slice(0, 200).map((bytes) => store.put(digestOf(bytes), bytes)));
  const other = await DiskBlobStore.open({ layout, pool: new BufferPool(0), eviction: noLimit });
  await Promise.all([
    other.count(signal),
    ...blobs.slice(200).map((bytes) => other.put(digestOf(bytes), bytes)),
    ...blobs.slice(0, 50).map((bytes) => other.delete(digestOf(bytes))),
  ]);
  const left = blobs.slice(50);
  const bytes = left.reduce((sum, { length }) => sum + length, 0);
  expect(other.usage).toMatchObject({ bytes, blobs: left.length });
  await other.count(signal);
  expect(other.usage).toMatchObject({ bytes, blobs: left.length });
});

it('keeps nobody waiting for room once it closes', async () => {
  await reopen({ maxSize: 500 });
  await keep('a', 400, 60);
  const never = Promise.withResolvers<never>();
  const survey = store.survey.bind(store);
  store.survey = async function* (given) {
    const ended = new Promise<never>((_resolve, reject) => {
      given.addEventListener('abort', () => reject(given.reason as Error));
    });
    await Promise.race([never.promise, ended]);
    yield* survey(given);
  };
  const ended = download('b', 300).catch(String);
  await waitFor('the download to be whole', () => store.spools.bytes === 300);
  store.evictor.stop();
  expect(await ended).toMatch(/the store closes/);
  expect(told).toEqual([]);
  // It is gone on with at the next start.
  const writer = await store.create(digestOf(Buffer.alloc(300, 'b')), signal);
  expect(writer.offset).toBe(300);
  await writer.close();
});

describe('a store of more blobs than one survey lists', () => {
  const count = 120_000;

  function fakeStore(isInUse: boolean) {
    const blobs = new Map(
      Array.from({ length: count }, (_, index) => {
        const digest = `sha256:${index.toString(16).padStart(64, '0')}` as Digest;
        return [digest, { digest, size: 1, usedAt: index }] as const;
      }),
    );
    let surveys = 0;
    const evictor = new Evictor(
      {
        get committed() {
          return blobs.size;
        },
        get occupied() {
          return blobs.size;
        },
        async *survey() {
          surveys++;
          yield [...blobs.values()];
        },
        evict: ({ digest }) => Promise.resolve(!isInUse && blobs.delete(digest) ? 1 : 0),
        leftovers: () => 0,
        evictLeftovers: () => Promise.resolve(0),
      },
      { ...noLimit, maxSize: count },
      observer,
    );
    evictor.counted();
    return { evictor, blobs, surveys: () => surveys };
  }

  it('makes room for one that takes the place of all of them', async () => {
    const { evictor, blobs } = fakeStore(false);
    expect(await evictor.admit(count, () => Promise.resolve(blobs.size))).toBe(0);
  });

  it('is not surveyed again and again where nothing can go', async () => {
    const { evictor, surveys } = fakeStore(true);
    await expect(evictor.admit(count, () => Promise.resolve())).rejects.toThrow(/in use or pinned/);
    expect(surveys()).toBeLessThanOrEqual(2);
    const before = surveys();
    evictor.check();
    await new Promise(setImmediate);
    expect(surveys()).toBe(before);
    // What must stay has changed.
    evictor.reconsider();
    evictor.check();
    await waitFor('a survey', () => surveys() > before);
  });
});
