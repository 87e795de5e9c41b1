import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { maxManifestSize } from '../../src/oci/manifest.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { ManifestCache } from '../../src/registry/manifest-cache.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { createScaffold, drain, type Scaffold } from '../support/scaffold.ts';

const config = { mediaType: 'application/json', digest: digestOf(Buffer.from('c')), size: 1 };
const type = mediaTypes.ociManifest;
/** A manifest of exactly so many bytes. */
const manifestOf = (size: number): Buffer => {
  const document = { schemaVersion: 2, mediaType: type, config, layers: [], note: '' };
  const { length } = JSON.stringify(document);
  return Buffer.from(JSON.stringify({ ...document, note: 'x'.repeat(size - length) }));
};

let scaffold: Scaffold;
let reads: number[];
let cache: ManifestCache;
beforeEach(async () => {
  scaffold = await createScaffold();
  const { store } = scaffold;
  reads = [];
  const counting: Pick<BlobStore, 'read' | 'put' | 'used'> = {
    async read(digest, limit) {
      const bytes = await store.read(digest, limit);
      reads.push(bytes?.length ?? 0);
      return bytes;
    },
    put: (digest, bytes) => store.put(digest, bytes),
    used: (digest) => store.used(digest),
  };
  cache = new ManifestCache(counting as BlobStore, scaffold.health, 16 * 1024 * 1024);
});
afterEach(() => scaffold.dispose());

describe('what the store holds', () => {
  const keep = async (bytes: Buffer) => {
    const digest = digestOf(bytes);
    await scaffold.store.put(digest, bytes);
    return digest;
  };

  it('is a manifest up to the largest size there is', async () => {
    const bytes = manifestOf(maxManifestSize);
    const found = await cache.get(await keep(bytes), type);
    expect(found?.bytes.equals(bytes)).toBe(true);
    expect(await cache.get(digestOf(bytes), type)).toEqual(found);
    expect(reads).toEqual([maxManifestSize]);
  });

  it('is none where it is larger, and is not even read', async () => {
    expect(await cache.get(await keep(manifestOf(maxManifestSize + 1)), type)).toBeUndefined();
    expect(reads).toEqual([0]);
  });

  it.each([
    ['a layer', randomBytes(1000)],
    ['a config', Buffer.from('{"architecture":"amd64","rootfs":{}}')],
    ['some other JSON', Buffer.from('[2]')],
    ['nothing', Buffer.alloc(0)],
  ])('is none where it is %s', async (_what, bytes) => {
    const digest = await keep(bytes);
    expect(await cache.get(digest, type)).toBeUndefined();
    expect(cache.peek(digest, type)).toBeUndefined();
  });

  it('is one also where only its Content-Type ever said so', async () => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, config }));
    expect(await cache.get(await keep(bytes), type)).toMatchObject({ mediaType: type });
  });
});

it('leaves alone a manifest that was put in the place of a wrong one while that was read', async () => {
  const { store, health } = scaffold;
  const bytes = manifestOf(1000);
  const digest = digestOf(bytes);
  await store.put(digest, bytes);
  const before: Pick<BlobStore, 'read' | 'used'> = {
    read: () => Promise.resolve(Buffer.from('what was there before')),
    used: () => undefined,
  };
  await new ManifestCache(before as BlobStore, health, 1024).get(digest, type);
  expect(await store.read(digest, maxManifestSize)).toEqual(bytes);
});

it('serves no layer as a manifest because an index names it', async () => {
  const { hub, blobs, manifests, route, downloads } = scaffold;
  const layer = randomBytes(5_000_000);
  const digest = hub.addBlob('team/app', layer);
  await drain((await blobs.open(route('team/app'), digest)).reader);
  await downloads.running(digest)?.ended;
  const children = [{ mediaType: type, digest, size: layer.length }];
  hub.addManifest('team/app', 'latest', { mediaType: mediaTypes.ociIndex, manifests: children });
  await manifests.get(route('team/app'), parseReference('latest'));
  await expect(manifests.get(route('team/app'), digest)).rejects.toMatchObject({
    code: 'MANIFEST_UNKNOWN',
  });
});
