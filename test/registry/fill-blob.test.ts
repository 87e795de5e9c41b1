import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Digest } from '../../src/oci/digest.ts';
import type { Download } from '../../src/registry/download.ts';
import { Downloads } from '../../src/registry/downloads.ts';
import { BlobFiller } from '../../src/registry/fill-blob.ts';
import { BlobService } from '../../src/registry/get-blob.ts';
import type { DownloadPace } from '../../src/registry/hold-back.ts';
import { BufferPool } from '../../src/lib/buffer-pool.ts';
import { Evictor } from '../../src/store/evictor.ts';
import { createScaffold, drain, noLimit, type Scaffold } from '../support/scaffold.ts';
import { waitFor } from '../support/wait-for.ts';

const content = randomBytes(3 * 1024 * 1024);
const app = 'team/app';

/** Lets so many bytes through as it is told, and remembers what was asked of it. */
class Gate {
  asked = 0;
  #allowed = 0;
  #wake: (() => void)[] = [];

  allow(bytes: number): void {
    this.#allowed += bytes;
    for (const wake of this.#wake.splice(0)) wake();
  }

  async take(bytes: number, signal: AbortSignal): Promise<void> {
    this.asked += bytes;
    while (this.asked > this.#allowed) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}

const open: DownloadPace = { take: () => Promise.resolve() };

describe('filling the store with a blob', () => {
  let scaffold: Scaffold;
  let followed: { download: Download; isOurs: boolean }[];
  const { signal } = new AbortController();
  const follows = (download: Download, isOurs: boolean): void =>
    void followed.push({ download, isOurs });

  beforeEach(async () => {
    scaffold = await createScaffold();
    followed = [];
  });
  afterEach(() => scaffold.dispose());

  const fill = (
    digest: Digest,
    { pace = open, until = signal }: { pace?: DownloadPace; until?: AbortSignal } = {},
  ): Promise<Download | undefined> =>
    new BlobFiller(scaffold.blobs).fill(scaffold.route(app), digest, { pace, follows }, until);

  it('has it stored and on record when it settles, and does nothing where it is', async () => {
    const { hub, store, catalog, route } = scaffold;
    const digest = hub.addBlob(app, content);
    const download = await fill(digest);
    expect(await store.stat(digest)).toBe(content.length);
    expect(await catalog.linked(route(app).key, 'blobs', digest)).toMatchObject({
      size: content.length,
    });
    expect(followed).toEqual([{ download, isOurs: true }]);
    expect(download?.received).toBe(content.length);
    expect(await fill(digest)).toBeUndefined();
    expect(hub.count('fetchBlob')).toBe(1);
  });

  it('keeps its download alive where one without clients would end', async () => {
    const { hub, store, catalog, health, observer } = scaffold;
    const pool = new BufferPool(0);
    const downloads = new Downloads({ store, pool, observer, continueWithoutReaders: false });
    const blobs = new BlobService({ catalog, store, downloads, health, observer, signal });
    const digest = hub.addBlob(app, content);
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
    hub.plays.push({ until });
    const options = { pace: open, follows };
    const filled = new BlobFiller(blobs).fill(scaffold.route(app), digest, options, signal);
    await waitFor('the download to run', () => downloads.running(digest) !== undefined);
    const client = await blobs.open(scaffold.route(app), digest);
    client.reader.close();
    goOn();
    await filled;
    expect(await store.stat(digest)).toBe(content.length);
  });

  it('fails where the blob cannot be kept, and lets go of it', async () => {
    const { hub, store, downloads } = scaffold;
    const digest = hub.addBlob(app, content);
    const policy = { ...noLimit, maxSize: 1024 * 1024 };
    const evictor = new Evictor(store, policy, {
      evicted() {},
      notEnough() {},
      diskFailed() {},
      disk() {},
    });
    Object.defineProperty(store.evictor, 'refusal', {
      value: (bytes: number) => evictor.refusal(bytes),
    });
    await expect(fill(digest)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('storage.max_size'),
    });
    await waitFor('the download to end', () => downloads.inFlight === 0);
  });

  it('fails with what the upstream says', async () => {
    const digest = scaffold.hub.addBlob('team/other', content);
    await expect(fill(digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });

  it('gives its download up with the signal, unless a client reads it', async () => {
    const { hub, blobs, downloads } = scaffold;
    const digest = hub.addBlob(app, content);
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
    hub.plays.push({ until }, { until });
    const first = new AbortController();
    const alone = fill(digest, { until: first.signal });
    await waitFor('the download to be followed', () => followed.length === 1);
    first.abort();
    await expect(alone).rejects.toThrow('aborted');
    await waitFor('the download to end', () => downloads.inFlight === 0);

    const second = new AbortController();
    const shared = fill(digest, { until: second.signal });
    await waitFor('the download to be followed', () => followed.length === 2);
    const client = await blobs.open(scaffold.route(app), digest);
    second.abort();
    await expect(shared).rejects.toThrow('aborted');
    goOn();
    expect((await drain(client.reader)).equals(content)).toBe(true);
  });

  it('is held back to a pace, until a client joins', async () => {
    const { hub, blobs } = scaffold;
    const digest = hub.addBlob(app, content);
    const gate = new Gate();
    const filled = fill(digest, { pace: gate });
    await waitFor('the gate to be reached', () => gate.asked > 0);
    const first = gate.asked;
    expect(followed[0]?.download.received).toBe(first);
    gate.allow(first);
    await waitFor('more to be asked for', () => gate.asked > first);
    // Never more has come than is allowed, and what is asked for now.
    expect(followed[0]?.download.received).toBe(gate.asked);
    const held = gate.asked;
    const client = await blobs.open(scaffold.route(app), digest);
    expect((await drain(client.reader)).equals(content)).toBe(true);
    await filled;
    expect(gate.asked).toBe(held);
  });
});
