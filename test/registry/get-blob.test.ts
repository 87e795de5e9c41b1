import { randomBytes } from 'node:crypto';
import { mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { createScaffold, drain, type Scaffold } from '../support/scaffold.ts';

const content = randomBytes(600_000);
const app = 'team/app';

let scaffold: Scaffold;
beforeEach(async () => {
  scaffold = await createScaffold();
});
afterEach(() => scaffold.dispose());

describe('a blob that is not cached', () => {
  it('is fetched once for all who ask while it arrives, and served from the store afterwards', async () => {
    const { hub, blobs, route, downloads } = scaffold;
    const digest = hub.addBlob(app, content);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => blobs.open(route(app), digest)),
    );
    const bodies = await Promise.all(answers.map(({ reader }) => drain(reader)));
    expect(bodies.every((body) => body.equals(content))).toBe(true);
    expect(answers.map(({ outcome }) => outcome.kind).toSorted()).toEqual([
      ...Array.from({ length: 49 }, () => 'collapsed'),
      'miss',
    ]);
    await downloads.running(digest)?.ended;
    const warm = await blobs.open(route(app), digest);
    expect(warm.outcome.kind).toBe('hit');
    expect((await drain(warm.reader)).equals(content)).toBe(true);
    expect(hub.count('fetchBlob')).toBe(1);
    expect(scaffold.store.usage).toMatchObject({ bytes: content.length, blobs: 1 });
  });

  it('goes on arriving when its only client has left', async () => {
    const { hub, blobs, route, downloads } = scaffold;
    const digest = hub.addBlob(app, content);
    const { reader } = await blobs.open(route(app), digest);
    reader.close();
    await downloads.running(digest)!.ended;
    expect(await scaffold.store.stat(digest)).toBe(content.length);
  });

  it('is taken up where the connection broke, for as long as that gets anywhere', async () => {
    const { hub, blobs, route } = scaffold;
    const digest = hub.addBlob(app, content);
    hub.plays.push({ cutAfter: 200_000 }, { cutAfter: 400_000 }, { cutAfter: 500_000 });
    const { reader } = await blobs.open(route(app), digest);
    expect((await drain(reader)).equals(content)).toBe(true);
    expect(hub.calls.filter((call) => call.startsWith('fetchBlob'))).toEqual(
      [0, 200_000, 400_000, 500_000].map((offset) => `fetchBlob ${app} ${digest}+${offset}`),
    );
  });

  it('is right although the upstream answers a resume with the whole', async () => {
    const { hub, blobs, route } = scaffold;
    const digest = hub.addBlob(app, content);
    hub.plays.push({ cutAfter: 300_000 }, { ignoresRange: true });
    const { reader } = await blobs.open(route(app), digest);
    expect((await drain(reader)).equals(content)).toBe(true);
  });

  it('is right although the upstream never says its size', async () => {
    const { hub, blobs, route } = scaffold;
    const digest = hub.addBlob(app, content);
    const end = Promise.withResolvers<void>();
    hub.plays.push({ hidesSize: true, until: end.promise });
    const { reader } = await blobs.open(route(app), digest);
    expect(reader.size).toBeUndefined();
    end.resolve();
    expect((await drain(reader)).equals(content)).toBe(true);
  });

  it.each([0, 1, 65_536, 65_537])('is right with %i bytes', async (size) => {
    const { hub, blobs, route } = scaffold;
    const digest = hub.addBlob(app, content.subarray(0, size));
    const { reader } = await blobs.open(route(app), digest);
    expect(reader.size).toBe(size);
    expect((await drain(reader)).equals(content.subarray(0, size))).toBe(true);
  });

  it('is never complete with a wrong byte in it, and is right the next time', async () => {
    const { hub, blobs, route, downloads } = scaffold;
    const digest = hub.addBlob(app, content);
    const wrong = Buffer.from(content);
    wrong[300_000]! ^= 1;
    hub.plays.push({ bytes: wrong });
    const { reader } = await blobs.open(route(app), digest);
    await expect(drain(reader)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' });
    expect(downloads.inFlight).toBe(0);
    expect(await scaffold.store.stat(digest)).toBeUndefined();
    const again = await blobs.open(route(app), digest);
    expect((await drain(again.reader)).equals(content)).toBe(true);
  });

  it('answers a small wrong blob with an error instead of a broken body', async () => {
    const { hub, blobs, route } = scaffold;
    const digest = hub.addBlob(app, Buffer.from('right'));
    hub.plays.push({ bytes: Buffer.from('wrong') });
    await expect(blobs.open(route(app), digest)).rejects.toMatchObject({
      code: 'UPSTREAM_INVALID',
      status: 502,
    });
  });

  it('keeps its last bytes back until all of them are verified', async () => {
    const { hub, blobs, route, downloads } = scaffold;
    const digest = hub.addBlob(app, content);
    const end = Promise.withResolvers<void>();
    hub.plays.push({ until: end.promise });
    const { reader } = await blobs.open(route(app), digest);
    let position = 0;
    while (position < content.length - 65_536) position += await reader.arrival(position);
    expect(position).toBe(content.length - 65_536);
    expect(downloads.readers).toBe(1);
    end.resolve();
    expect(await reader.arrival(position)).toBe(65_536);
    reader.close();
  });

  it('answers 404, and believes it for a while', async () => {
    const { hub, blobs, route } = scaffold;
    const digest = digestOf(content);
    for (let times = 0; times < 3; times++) {
      await expect(blobs.open(route(app), digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    }
    expect(hub.count('fetchBlob')).toBe(1);
  });

  it('passes the failure of its upstream on, and asks again the next time', async () => {
    const { hub, blobs, route } = scaffold;
    const digest = hub.addBlob(app, content);
    hub.failure = new RegistryError('TOOMANYREQUESTS', undefined, { retryAfter: 7 });
    await expect(blobs.open(route(app), digest)).rejects.toMatchObject({ retryAfter: 7 });
    hub.failure = undefined;
    const { reader } = await blobs.open(route(app), digest);
    expect((await drain(reader)).equals(content)).toBe(true);
  });
});

describe('a spool that an earlier process left behind', () => {
  const digest = digestOf(content);
  const leave = async (bytes: Buffer, origin: object): Promise<void> => {
    const folder = scaffold.layout.spoolOf(digest);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'data'), bytes);
    await writeFile(join(folder, 'origin.json'), JSON.stringify(origin));
  };

  it('is gone on with', async () => {
    const { hub, blobs, route, downloads } = scaffold;
    hub.addBlob(app, content);
    await leave(content.subarray(0, 250_000), { size: content.length, etag: '"x"' });
    const { reader } = await blobs.open(route(app), digest);
    expect((await drain(reader)).equals(content)).toBe(true);
    expect(hub.calls).toEqual([`fetchBlob ${app} ${digest}+250000`]);
    await downloads.running(digest)?.ended;
    expect(await readdir(scaffold.layout.spool)).toEqual([]);
  });

  it('is committed without a transfer where it is whole', async () => {
    const { hub, blobs, route } = scaffold;
    hub.addBlob(app, content);
    await leave(content, { size: content.length });
    const { reader } = await blobs.open(route(app), digest);
    expect((await drain(reader)).equals(content)).toBe(true);
    expect(hub.count('fetchBlob')).toBe(0);
  });

  it.each([
    ['of another size', { size: 123_456_789 }, undefined],
    ['that the upstream cannot continue', {}, new RegistryError('UPSTREAM_INVALID')],
  ])('%s is given up, and the blob fetched from its beginning', async (_case, origin, fails) => {
    const { hub, blobs, route } = scaffold;
    hub.addBlob(app, content);
    await leave(content.subarray(0, 250_000), origin);
    if (fails !== undefined) hub.plays.push({ fails });
    const { reader } = await blobs.open(route(app), digest);
    expect((await drain(reader)).equals(content)).toBe(true);
    expect(hub.calls).toEqual([250_000, 0].map((at) => `fetchBlob ${app} ${digest}+${at}`));
  });

  it('is thrown away where it is wrong, so that the next request starts clean', async () => {
    const { hub, blobs, route } = scaffold;
    hub.addBlob(app, content);
    await leave(randomBytes(250_000), { size: content.length });
    const { reader } = await blobs.open(route(app), digest);
    await expect(drain(reader)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' });
    const again = await blobs.open(route(app), digest);
    expect((await drain(again.reader)).equals(content)).toBe(true);
  });
});

describe('a digest is not a permission', () => {
  it('hides a cached blob from a repository whose upstream does not have it', async () => {
    const { hub, other, blobs, route } = scaffold;
    const digest = hub.addBlob('private/app', content);
    await drain((await blobs.open(route('private/app'), digest)).reader);
    for (const name of ['public/app', 'ghcr.io/public/app']) {
      await expect(blobs.open(route(name), digest)).rejects.toMatchObject({ status: 404 });
      await expect(blobs.stat(route(name), digest)).rejects.toMatchObject({ status: 404 });
    }
    expect(other.count('statBlob')).toBe(1);
  });

  it('hides it also where the upstream says 401 or 403, as it does for what is private', async () => {
    const { hub, other, blobs, route } = scaffold;
    const digest = hub.addBlob('private/app', content);
    await drain((await blobs.open(route('private/app'), digest)).reader);
    other.failure = new RegistryError('UPSTREAM_DENIED', undefined, { upstreamStatus: 401 });
    await expect(blobs.open(route('ghcr.io/public/app'), digest)).rejects.toMatchObject({
      code: 'BLOB_UNKNOWN',
      upstreamStatus: 401,
    });
  });

  it('is not called unknown where a credential of ours cannot be had, and nobody was asked', async () => {
    const { hub, other, blobs, route } = scaffold;
    const digest = hub.addBlob('private/app', content);
    await drain((await blobs.open(route('private/app'), digest)).reader);
    other.failure = new RegistryError('UPSTREAM_DENIED', 'the credential helper failed');
    const asked = route('ghcr.io/public/app');
    await expect(blobs.open(asked, digest)).rejects.toMatchObject({ code: 'UPSTREAM_DENIED' });
    await expect(blobs.stat(asked, digest)).rejects.toMatchObject({ code: 'UPSTREAM_DENIED' });
  });

  it('serves it without a second transfer where the upstream has it there too', async () => {
    const { hub, blobs, route } = scaffold;
    const digest = hub.addBlob('team/one', content);
    hub.addBlob('team/two', content);
    await drain((await blobs.open(route('team/one'), digest)).reader);
    const { reader } = await blobs.open(route('team/two'), digest);
    expect((await drain(reader)).equals(content)).toBe(true);
    expect(hub.count('fetchBlob')).toBe(1);
    expect(hub.count('statBlob')).toBe(1);
  });

  it('holds for a download that is still running', async () => {
    const { hub, blobs, route } = scaffold;
    const digest = hub.addBlob('private/app', content);
    const end = Promise.withResolvers<void>();
    hub.plays.push({ until: end.promise });
    const { reader } = await blobs.open(route('private/app'), digest);
    await expect(blobs.open(route('public/app'), digest)).rejects.toMatchObject({ status: 404 });
    end.resolve();
    await drain(reader);
  });

  it('tries the own upstream where the download through another repository fails', async () => {
    const { hub, other, blobs, route, catalog } = scaffold;
    const digest = hub.addBlob(app, content);
    other.addBlob(app, content);
    const member = { digest, mediaType: 'application/octet-stream' };
    await catalog.link(route(`ghcr.io/${app}`).key, 'blobs', [member]);
    const gate = Promise.withResolvers<void>();
    hub.gate = gate.promise;
    hub.failure = new RegistryError('UPSTREAM_UNAVAILABLE');
    const first = blobs.open(route(app), digest);
    const failed = expect(first).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    while (hub.calls.length === 0) await new Promise(setImmediate);
    const second = blobs.open(route(`ghcr.io/${app}`), digest);
    gate.resolve();
    await failed;
    expect((await drain((await second).reader)).equals(content)).toBe(true);
  });
});

describe('HEAD of a blob', () => {
  it('asks the upstream once it has to, and starts no download', async () => {
    const { hub, blobs, route, downloads } = scaffold;
    const digest = hub.addBlob(app, content);
    const facts = await blobs.stat(route(app), digest);
    expect(facts).toMatchObject({ size: content.length, outcome: { kind: 'miss', stored: false } });
    expect(downloads.inFlight).toBe(0);
    expect(hub.count('fetchBlob')).toBe(0);
  });

  it('needs no upstream for what is cached', async () => {
    const { hub, blobs, route } = scaffold;
    const digest = hub.addBlob(app, content);
    await drain((await blobs.open(route(app), digest)).reader);
    const facts = await blobs.stat(route(app), digest);
    expect(facts).toMatchObject({ size: content.length });
    expect(hub.count('statBlob')).toBe(0);
  });
});

it('treats a stored file that was cut short as a miss', async () => {
  const { hub, blobs, route, downloads } = scaffold;
  const digest = hub.addBlob(app, content);
  await drain((await blobs.open(route(app), digest)).reader);
  await downloads.running(digest)?.ended;
  await truncate(scaffold.layout.blob(digest), 1000);
  const { reader, outcome } = await blobs.open(route(app), digest);
  expect(outcome.kind).toBe('miss');
  expect((await drain(reader)).equals(content)).toBe(true);
});

describe('a size that is wrong on record', () => {
  const layer = (digest: Digest) => ({ digest, mediaType: 'application/x-tar', size: 7 });
  const pull = async (digest: Digest): Promise<string> => {
    const { blobs, route, downloads } = scaffold;
    const { reader, outcome } = await blobs.open(route(app), digest);
    expect((await drain(reader)).equals(content)).toBe(true);
    await downloads.running(digest)?.ended;
    return outcome.kind;
  };

  it('is corrected by the first transfer where a manifest gave it', async () => {
    const { hub, catalog, route } = scaffold;
    const digest = hub.addBlob(app, content);
    await catalog.link(route(app).key, 'blobs', [{ ...layer(digest), claimed: true }]);
    expect([await pull(digest), await pull(digest)]).toEqual(['miss', 'hit']);
    expect(scaffold.store.usage).toMatchObject({ bytes: content.length, blobs: 1 });
  });

  it('is corrected also where the upstream never says the right one', async () => {
    const { hub, catalog, route } = scaffold;
    const digest = hub.addBlob(app, content);
    await catalog.link(route(app).key, 'blobs', [{ ...layer(digest), claimed: true }]);
    hub.plays.push({ hidesSize: true }, { hidesSize: true });
    expect([await pull(digest), await pull(digest)]).toEqual(['miss', 'hit']);
  });

  it('costs no transfer where what is stored is right, and is corrected', async () => {
    const { hub, catalog, route } = scaffold;
    const digest = hub.addBlob(app, content);
    await pull(digest);
    await catalog.link(route(app).key, 'blobs', [layer(digest)]);
    const kinds = [await pull(digest), await pull(digest)];
    expect(kinds).toEqual(['hit', 'hit']);
    expect(hub.count('fetchBlob')).toBe(1);
    expect(await catalog.linked(route(app).key, 'blobs', digest)).toMatchObject({
      size: content.length,
    });
    expect(scaffold.store.usage).toMatchObject({ bytes: content.length, blobs: 1 });
  });
});

describe('while the upstream is offline by the configuration', () => {
  it('refuses a blob that is not here without beginning to download it', async () => {
    const { blobs, offlineRoute, layout } = scaffold;
    const digest = digestOf(content);
    await expect(blobs.open(offlineRoute(app), digest)).rejects.toMatchObject({
      code: 'UPSTREAM_OFFLINE',
    });
    await expect(blobs.stat(offlineRoute(app), digest)).rejects.toMatchObject({
      code: 'UPSTREAM_OFFLINE',
    });
    expect(await readdir(layout.spool).catch(() => [])).toEqual([]);
  });

  it('serves what only a manifest of the repository says to belong there, as a hit', async () => {
    const { blobs, offlineRoute, catalog, store } = scaffold;
    const bytes = Buffer.from('a small blob');
    const digest = digestOf(bytes);
    await store.put(digest, bytes);
    const claim = { digest, mediaType: 'text/plain', size: bytes.length, claimed: true } as const;
    const { key } = offlineRoute(app);
    await catalog.link(key, 'blobs', [claim]);
    const { reader, outcome } = await blobs.open(offlineRoute(app), digest);
    expect([(await drain(reader)).toString(), outcome.kind]).toEqual(['a small blob', 'hit']);
    const facts = await blobs.stat(offlineRoute(app), digest);
    expect(facts).toEqual({ size: bytes.length, outcome: { kind: 'hit' } });
    expect((await catalog.linked(key, 'blobs', digest))?.claimed).toBe(true);
  });

  it('keeps what came through another repository from one that does not name it', async () => {
    const { blobs, offlineRoute, store } = scaffold;
    const bytes = Buffer.from('private');
    const digest = digestOf(bytes);
    await store.put(digest, bytes);
    await expect(blobs.open(offlineRoute(app), digest)).rejects.toMatchObject({ status: 404 });
    await expect(blobs.stat(offlineRoute(app), digest)).rejects.toMatchObject({ status: 404 });
  });
});
