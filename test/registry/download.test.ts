import { randomBytes } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RegistryError, type ErrorCode } from '../../src/oci/errors.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { BlobReader } from '../../src/store/blob-reader.ts';
import { createScaffold, drain, type Scaffold } from '../support/scaffold.ts';

const content = randomBytes(600_000);
const spooled = 250_000;
const app = 'team/app';

let scaffold: Scaffold;
let digest: Digest;
beforeEach(async () => {
  scaffold = await createScaffold();
  digest = scaffold.hub.addBlob(app, content);
});
afterEach(() => scaffold.dispose());

const open = async (): Promise<BlobReader> =>
  (await scaffold.blobs.open(scaffold.route(app), digest)).reader;
const offsets = (): number[] =>
  scaffold.hub.calls
    .filter((call) => call.startsWith('fetchBlob'))
    .map((call) => Number(call.split('+')[1]));
const answered = (upstreamStatus: number | undefined, code: ErrorCode): RegistryError =>
  new RegistryError(code, undefined, upstreamStatus === undefined ? {} : { upstreamStatus });

describe('an old spool', () => {
  const leave = async (bytes: Buffer, origin?: object): Promise<void> => {
    const folder = scaffold.layout.spoolOf(digest);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'data'), bytes);
    if (origin !== undefined) {
      await writeFile(join(folder, 'origin.json'), JSON.stringify(origin));
    }
  };
  const origin = { size: content.length, etag: '"x"' };

  it.each([
    [501, 'UPSTREAM_UNAVAILABLE'],
    [500, 'UPSTREAM_UNAVAILABLE'],
    [504, 'UPSTREAM_TIMEOUT'],
    [403, 'UPSTREAM_DENIED'],
    [416, 'UPSTREAM_INVALID'],
    [206, 'UPSTREAM_INVALID'],
  ] as const)('whose rest is refused with %i is completed from the whole', async (status, code) => {
    const { hub, store, downloads } = scaffold;
    await leave(content.subarray(0, spooled), origin);
    hub.rangeFailure = answered(status, code);
    expect((await drain(await open())).equals(content)).toBe(true);
    expect(offsets()).toEqual([spooled, 0]);
    await downloads.running(digest)?.ended;
    expect(await store.stat(digest)).toBe(content.length);
  });

  it('is not fetched again but skipped, where only the whole is to be had', async () => {
    const { hub } = scaffold;
    await leave(content.subarray(0, spooled), origin);
    hub.rangeFailure = answered(501, 'UPSTREAM_UNAVAILABLE');
    // The whole breaks long before it gets to where the spool ends.
    hub.plays.push({ cutAfter: 1 });
    const reader = await open();
    expect(reader.available(spooled - 1)).toBe(1);
    expect((await drain(reader)).equals(content)).toBe(true);
    expect(offsets()).toEqual([spooled, 0, spooled, 0]);
  });

  it('of a blob that has another size by now is given up', async () => {
    await leave(content.subarray(0, spooled), origin);
    scaffold.hub.plays.push({ bytes: randomBytes(700_000) });
    expect((await drain(await open())).equals(content)).toBe(true);
    expect(offsets()).toEqual([spooled, 0]);
  });

  it('that is whole without knowing it is committed after a 416', async () => {
    await leave(content, { etag: '"x"' });
    scaffold.hub.rangeFailure = answered(416, 'UPSTREAM_INVALID');
    expect((await drain(await open())).equals(content)).toBe(true);
    expect(offsets()).toEqual([content.length, 0]);
  });

  it('that is longer than the blob is given up, although its own size was never known', async () => {
    await leave(Buffer.concat([content, Buffer.from('x')]));
    scaffold.hub.rangeFailure = answered(416, 'UPSTREAM_INVALID');
    expect((await drain(await open())).equals(content)).toBe(true);
    expect(offsets()).toEqual([content.length + 1, 0]);
  });

  it.each([
    [401, 'UPSTREAM_DENIED', 'BLOB_UNKNOWN'],
    [404, 'BLOB_UNKNOWN', 'BLOB_UNKNOWN'],
    [429, 'TOOMANYREQUESTS', 'TOOMANYREQUESTS'],
    [undefined, 'UPSTREAM_UNAVAILABLE', 'UPSTREAM_UNAVAILABLE'],
    [undefined, 'UPSTREAM_TIMEOUT', 'UPSTREAM_TIMEOUT'],
  ] as const)(
    'survives a failure (%s %s) that says nothing of ranges',
    async (status, code, told) => {
      await leave(content.subarray(0, spooled), origin);
      scaffold.hub.rangeFailure = answered(status, code);
      await expect(open()).rejects.toMatchObject({ code: told });
      expect(offsets()).toEqual([spooled]);
      const { size } = await stat(join(scaffold.layout.spoolOf(digest), 'data'));
      expect(size).toBe(spooled);
    },
  );
});

describe('a transfer under way', () => {
  it('survives an HTML page in place of its rest, and so do its readers', async () => {
    const { hub } = scaffold;
    hub.plays.push({ cutAfter: 500_000 }, { fails: answered(200, 'UPSTREAM_INVALID') });
    const readers = [await open(), await open()];
    const bodies = await Promise.all(readers.map(drain));
    expect(bodies.every((body) => body.equals(content))).toBe(true);
    expect(offsets()).toEqual([0, 500_000, 0]);
  });

  it('survives an outage of its upstream', async () => {
    const { hub } = scaffold;
    const fails = answered(undefined, 'UPSTREAM_UNAVAILABLE');
    hub.plays.push({ cutAfter: 300_000 }, { fails }, { fails }, { fails }, { fails });
    expect((await drain(await open())).equals(content)).toBe(true);
    expect(offsets()).toEqual([0, ...Array.from({ length: 5 }, () => 300_000)]);
  });

  it('ends at once where its upstream says that the blob is gone', async () => {
    const { hub } = scaffold;
    hub.plays.push({ cutAfter: 300_000 }, { fails: answered(404, 'BLOB_UNKNOWN') });
    await expect(drain(await open())).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    expect(offsets()).toEqual([0, 300_000]);
  });
});
