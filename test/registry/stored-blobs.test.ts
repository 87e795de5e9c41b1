import { randomBytes } from 'node:crypto';
import { truncate } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Member } from '../../src/catalog/catalog.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { createScaffold, drain, type Scaffold } from '../support/scaffold.ts';

const content = randomBytes(300_000);
const app = 'team/app';
const eio = Object.assign(new Error('EIO: i/o error, open'), { code: 'EIO' });
const eacces = Object.assign(new Error('EACCES: permission denied, open'), { code: 'EACCES' });
const refused = new RegistryError('UNAVAILABLE', 'the disk refuses', { cause: eio });

let scaffold: Scaffold;
let digest: Digest;
beforeEach(async () => {
  scaffold = await createScaffold();
  digest = scaffold.hub.addBlob(app, content);
});
afterEach(() => scaffold.dispose());

async function pull(): Promise<string> {
  const { blobs, route, downloads } = scaffold;
  const { reader, outcome } = await blobs.open(route(app), digest);
  expect((await drain(reader)).equals(content)).toBe(true);
  await downloads.running(digest)?.ended;
  return outcome.kind;
}

const size = async (): Promise<number | undefined> =>
  (await scaffold.blobs.stat(scaffold.route(app), digest)).size;

describe('a stored blob that the disk does not give back', () => {
  beforeEach(async () => void (await pull()));

  it.each([
    ['the disk fails', eio],
    ['the store says that the disk fails', refused],
  ])('is a miss where %s, and is taken out of service', async (_name, failure) => {
    jest.spyOn(scaffold.store, 'open').mockRejectedValueOnce(failure);
    expect([await pull(), await pull()]).toEqual(['miss', 'hit']);
    expect(scaffold.withdrawn).toEqual([{ digest, finder: 'serving', detail: eio.message }]);
  });

  it('is a miss where it may not be read, and stays where it is', async () => {
    jest.spyOn(scaffold.store, 'open').mockRejectedValueOnce(eacces);
    expect(await pull()).toBe('miss');
    expect(scaffold.withdrawn).toEqual([]);
  });

  it('is asked for upstream by a HEAD as well', async () => {
    jest.spyOn(scaffold.store, 'stat').mockRejectedValueOnce(eio);
    expect(await size()).toBe(content.length);
    expect(scaffold.hub.count('statBlob')).toBe(1);
    expect(scaffold.withdrawn).toHaveLength(1);
    expect(await pull()).toBe('miss');
  });
});

describe('a stored blob of which no size is on record', () => {
  const unsized = async (): Promise<void> => {
    const { catalog, route } = scaffold;
    const member = { digest, mediaType: 'application/octet-stream' };
    await catalog.unlink(route(app).key, 'blobs', [digest]);
    await catalog.link(route(app).key, 'blobs', [member]);
  };
  beforeEach(async () => {
    await pull();
    await unsized();
  });

  it('is hashed once, and then known', async () => {
    const verified = jest.spyOn(scaffold.health, 'sizeOf');
    expect([await size(), await pull(), await pull()]).toEqual([content.length, 'hit', 'hit']);
    expect(verified).toHaveBeenCalledTimes(1);
    expect(scaffold.hub.count('statBlob')).toBe(0);
  });

  it('is served and stays where its record cannot be written', async () => {
    jest.spyOn(scaffold.catalog, 'link').mockRejectedValue(refused);
    expect([await size(), await pull()]).toEqual([content.length, 'hit']);
    expect(scaffold.withdrawn).toEqual([]);
  });

  it.each([0, 1, 299_999])('is never served short, cut to %i bytes', async (length) => {
    await truncate(scaffold.layout.blob(digest), length);
    expect([await size(), await pull(), await pull()]).toEqual([content.length, 'miss', 'hit']);
    expect(scaffold.withdrawn).toMatchObject([{ digest, finder: 'serving' }]);
  });

  it('does not turn a claim into more than one', async () => {
    const { catalog, route, hub, other } = scaffold;
    const key = route('ghcr.io/team/else').key;
    await catalog.link(key, 'blobs', [{ digest, mediaType: 'application/x', claimed: true }]);
    const down = new RegistryError('UPSTREAM_UNAVAILABLE');
    jest.spyOn(other, 'statBlob').mockRejectedValue(down);
    const { reader, outcome } = await scaffold.blobs.open(route('ghcr.io/team/else'), digest);
    expect((await drain(reader)).equals(content)).toBe(true);
    expect(outcome.kind).toBe('revalidated');
    expect(await catalog.linked(key, 'blobs', digest)).toMatchObject({ claimed: true });
    expect(hub.count('fetchBlob')).toBe(1);
  });
});

describe('a stored blob that a repository only claims to hold', () => {
  const elsewhere = 'ghcr.io/team/else';
  const sizeElsewhere = async (): Promise<number | undefined> =>
    (await scaffold.blobs.stat(scaffold.route(elsewhere), digest)).size;

  beforeEach(async () => {
    await pull();
    const claim = { digest, mediaType: 'application/x', size: content.length, claimed: true };
    await scaffold.catalog.link(scaffold.route(elsewhere).key, 'blobs', [claim as Member]);
    await truncate(scaffold.layout.blob(digest), 150_000);
  });

  it('is never told of as short as its file was cut', async () => {
    scaffold.other.addBlob('team/else', content);
    expect(await sizeElsewhere()).toBe(content.length);
    expect(scaffold.withdrawn).toMatchObject([{ digest, finder: 'serving' }]);
  });

  it('does not stand in for an upstream that cannot be asked, cut short', async () => {
    scaffold.other.failure = new RegistryError('UPSTREAM_UNAVAILABLE');
    await expect(sizeElsewhere()).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    expect(scaffold.withdrawn).toMatchObject([{ digest, finder: 'serving' }]);
  });
});

describe('a stored manifest', () => {
  const config = { mediaType: 'application/json', digest: digestOf(Buffer.from('c')), size: 1 };
  const latest = parseReference('latest');
  const get = async () => scaffold.manifests.get(scaffold.route(app), latest);

  it.each([
    [
      'the disk does not give back',
      () => void jest.spyOn(scaffold.store, 'read').mockRejectedValueOnce(eio),
    ],
    ['rotted', async (manifest: Digest) => truncate(scaffold.layout.blob(manifest), 10)],
  ])('that %s is fetched again and kept', async (_name, spoil) => {
    const document = { mediaType: mediaTypes.ociManifest, config, layers: [] };
    scaffold.hub.addManifest(app, 'latest', document);
    const { digest: manifest, bytes } = await get();
    scaffold.cache.forget(manifest);
    await spoil(manifest);
    const again = await get();
    expect([again.outcome.kind, again.bytes.equals(bytes)]).toEqual(['miss', true]);
    expect(scaffold.withdrawn).toMatchObject([{ digest: manifest, finder: 'serving' }]);
    scaffold.cache.forget(manifest);
    expect((await get()).outcome.kind).toBe('hit');
  });
});
