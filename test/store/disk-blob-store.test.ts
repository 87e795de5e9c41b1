import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { BufferPool } from '../../src/lib/buffer-pool.ts';
import { DiskBlobStore } from '../../src/store/disk-blob-store.ts';
import { LastUse } from '../../src/store/last-use.ts';
import { Layout } from '../../src/store/layout.ts';
import { drain, noLimit } from '../support/scaffold.ts';
import { blobStoreContract } from '../contract/blob-store.ts';

const hour = 3_600_000;
const pool = new BufferPool(4 * 1024 * 1024);
const { signal } = new AbortController();
let data: string;
let layout: Layout;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'baleen-store-'));
  layout = new Layout(data);
});
afterEach(() => rm(data, { recursive: true, force: true }));

const openStore = (at: Layout = layout): Promise<DiskBlobStore> =>
  DiskBlobStore.open({ layout: at, pool, eviction: noLimit });

blobStoreContract('on disk', async () => {
  const own = await mkdtemp(join(tmpdir(), 'baleen-contract-'));
  const open = () => openStore(new Layout(own));
  return {
    store: await open(),
    reopen: open,
    dispose: () => rm(own, { recursive: true, force: true }),
  };
});

it('lies on disk as the architecture says', async () => {
  const store = await openStore();
  const bytes = Buffer.from('hello');
  const digest = digestOf(bytes);
  await store.put(digest, bytes);
  const hex = digest.slice('sha256:'.length);
  expect(await readdir(join(data, 'v1', 'blobs', 'sha256', hex.slice(0, 2)))).toEqual([hex]);
  const writer = await store.create(digest, signal);
  expect(await readdir(join(data, 'v1', 'spool'))).toEqual([`sha256-${hex}`]);
  await writer.close();
});

it('clears at the start what a crash left behind, but nothing new, and abandoned spools when told', async () => {
  await openStore();
  await writeFile(join(layout.temporary, 'half'), 'half');
  const old = join(layout.spool, 'sha256-old');
  const fresh = join(layout.spool, 'sha256-fresh');
  for (const folder of [old, fresh, join(layout.spool, 'sha256-empty')]) await mkdir(folder);
  await writeFile(join(old, 'data'), 'x');
  await writeFile(join(fresh, 'data'), 'x');
  const longAgo = new Date(Date.now() - 2 * hour);
  await utimes(join(old, 'data'), longAgo, longAgo);
  await openStore();
  expect(await readdir(layout.temporary)).toEqual(['half']);
  expect(await readdir(layout.spool)).toHaveLength(3);
  const later = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + hour / 2);
  const store = await openStore();
  later.mockRestore();
  expect(await readdir(layout.temporary)).toEqual([]);
  expect((await readdir(layout.spool)).toSorted()).toEqual(['sha256-fresh', 'sha256-old']);
  expect(store.spools.bytes).toBe(2);
  expect(await store.evictor.expire(Date.now() - hour)).toEqual({ blobs: 0, bytes: 1 });
  expect(await readdir(layout.spool)).toEqual(['sha256-fresh']);
});

it('can be looked at where it lacks a folder, as a copy of it may', async () => {
  const store = new DiskBlobStore({ layout, pool, eviction: noLimit });
  await store.spools.scan();
  await store.usage.count(signal);
  expect(store.occupied).toBe(0);
});

it('writes down what was used, also behind what cannot be written', async () => {
  const longAgo = new Date(Date.now() - hour);
  const digests = ['one', 'two', 'three'].map((text) => digestOf(Buffer.from(text)));
  const [first, second, gone] = digests as [Digest, Digest, Digest];
  const path = join(data, 'second');
  await writeFile(path, '');
  await utimes(path, longAgo, longAgo);
  const notThere = join(path, 'below a file');
  const paths = new Map([
    [first, notThere],
    [second, path],
    [gone, join(data, 'gone')],
  ]);
  const lastUse = new LastUse((digest) => paths.get(digest)!);
  for (const digest of digests) lastUse.note(digest);
  await expect(lastUse.flush()).rejects.toMatchObject({ code: 'ENOTDIR' });
  expect(digests.map((digest) => lastUse.noted(digest) !== undefined)).toEqual([
    true,
    false,
    false,
  ]);
  expect((await stat(path)).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
});

it('lends a deleted blob to nobody who comes later, also if it was opened in that moment', async () => {
  const store = await openStore();
  const right = Buffer.from('right');
  const digest = digestOf(right);
  await store.put(digest, Buffer.from('wrong'));
  const [reader] = await Promise.all([store.open(digest), store.delete(digest)]);
  await store.put(digest, right);
  expect((await drain((await store.open(digest))!)).toString()).toBe('right');
  reader?.close();
});

it('cannot be opened where its folder is a file', async () => {
  await writeFile(layout.root, 'in the way');
  await expect(openStore()).rejects.toMatchObject({
    code: expect.stringMatching(/ENOTDIR|EEXIST/),
  });
});

it('counts what it holds, what was there and what is new, each once', async () => {
  const before = await openStore();
  for (const text of ['one', 'two', 'three']) {
    await before.put(digestOf(Buffer.from(text)), Buffer.from(text));
  }
  const store = await openStore();
  await store.put(digestOf(Buffer.from('four')), Buffer.from('four'));
  await store.usage.count(signal);
  expect(store.usage).toMatchObject({ bytes: 3 + 3 + 5 + 4, blobs: 4 });
  await store.put(digestOf(Buffer.from('four')), Buffer.from('four'));
  await store.delete(digestOf(Buffer.from('one')));
  expect(store.usage).toMatchObject({ bytes: 3 + 5 + 4, blobs: 3 });
});

it('counts a blob once that is committed again', async () => {
  const store = await openStore();
  const bytes = Buffer.from('hello');
  const digest = digestOf(bytes);
  for (let times = 0; times < 2; times++) {
    const writer = await store.create(digest, signal);
    await writer.write([bytes]);
    expect(writer.verify()).toBe(true);
    await writer.commit();
    await writer.close();
    expect(store.usage).toMatchObject({ bytes: bytes.length, blobs: 1 });
  }
});
