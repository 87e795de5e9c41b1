import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { BufferPool } from '../../src/lib/buffer-pool.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { Downloads } from '../../src/registry/downloads.ts';
import { BlobService } from '../../src/registry/get-blob.ts';
import { createScaffold, drain, type Scaffold } from '../support/scaffold.ts';

const content = randomBytes(600_000);
const app = 'team/app';

let scaffold: Scaffold;
let downloads: Downloads;
let blobs: BlobService;
let digest: Digest;

/** Downloads that end with their last reader. */
beforeEach(async () => {
  scaffold = await createScaffold();
  const { catalog, store, hub, health } = scaffold;
  const pool = new BufferPool(4 * 1024 * 1024);
  const observer = { notStored() {}, received() {}, downloadEnded() {} };
  downloads = new Downloads({ store, pool, observer, continueWithoutReaders: false });
  const { signal } = new AbortController();
  blobs = new BlobService({ catalog, store, downloads, health, observer, signal });
  digest = hub.addBlob(app, content);
});
afterEach(async () => {
  await downloads.stop();
  await scaffold.dispose();
});

it('gives a download that nobody reads up, and starts another for who comes at that moment', async () => {
  const { hub, route } = scaffold;
  hub.plays.push({ until: new Promise(() => undefined) });
  const first = await blobs.open(route(app), digest);
  await first.reader.arrival(0);
  const download = downloads.running(digest)!;
  first.reader.close();
  expect(download.isCancelled).toBe(true);
  expect(downloads.running(digest)).toBe(download);
  const second = await blobs.open(route(app), digest);
  expect(second.outcome.kind).toBe('miss');
  expect((await drain(second.reader)).equals(content)).toBe(true);
  expect(download.state).toBe('failed');
  expect(hub.count('fetchBlob')).toBe(2);
});

it('gives a download up that is left before its upstream has answered', async () => {
  const { hub, route } = scaffold;
  const gate = Promise.withResolvers<void>();
  hub.gate = gate.promise;
  const source = {
    patience: 1_000,
    upstream: hub,
    repository: route(app).repository,
    accepted: async () => {},
  };
  const download = downloads.start(digest, source);
  expect(download.state).toBe('opening');
  download.blob.reader().close();
  expect(download.isCancelled).toBe(true);
  gate.resolve();
  await download.ended;
  expect(download.state).toBe('failed');
  expect(downloads.inFlight).toBe(0);
  expect(await scaffold.store.stat(digest)).toBeUndefined();
});

it('lets a download go on of which only one of several readers has left', async () => {
  const { hub, route } = scaffold;
  const end = Promise.withResolvers<void>();
  hub.plays.push({ until: end.promise });
  const first = await blobs.open(route(app), digest);
  const second = await blobs.open(route(app), digest);
  first.reader.close();
  end.resolve();
  expect((await drain(second.reader)).equals(content)).toBe(true);
  expect(hub.count('fetchBlob')).toBe(1);
});
