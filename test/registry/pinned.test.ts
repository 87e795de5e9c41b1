import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { PinRecord } from '../../src/catalog/pin-record.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { pinnedDigests } from '../../src/registry/pinned.ts';
import { createScaffold, type Scaffold } from '../support/scaffold.ts';

const app = 'team/app';
const edge = 'edge' as Tag;
let scaffold: Scaffold;
let pins: PinRecord;
beforeEach(async () => {
  scaffold = await createScaffold();
  pins = new PinRecord(scaffold.layout.root);
});
afterEach(() => scaffold.dispose());

const pinned = async (): Promise<Digest[]> => {
  const digests = await pinnedDigests(pins, scaffold.catalog, scaffold.store);
  return [...digests].toSorted();
};

const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const ociIndex = 'application/vnd.oci.image.index.v1+json';
const describe = (mediaType: string, bytes: Buffer, digest: Digest): object => ({
  mediaType,
  digest,
  size: bytes.length,
});

it('are on record, images that nobody has pulled yet included, until they are taken off', async () => {
  const { key: repository } = scaffold.route(app);
  const digest = digestOf(Buffer.from('{}'));
  await pins.add({ repository, reference: edge });
  await pins.add({ repository, reference: digest });
  await pins.add({ repository, reference: edge });
  const all = await new PinRecord(scaffold.layout.root).all();
  expect(all).toEqual([
    { repository, reference: digest },
    { repository, reference: edge },
  ]);
  expect(await scaffold.catalog.repositories()).toEqual([]);
  expect(await pinned()).toEqual([digest]);
  expect(await pins.remove({ repository, reference: digest })).toBe(true);
  expect(await pins.remove({ repository, reference: digest })).toBe(false);
  expect(await pinned()).toEqual([]);
});

it('keep all of an image that is cached: its index, its manifests, their configs and layers', async () => {
  const { hub, manifests, route } = scaffold;
  const bytes = Buffer.from('a layer');
  const layer = hub.addBlob(app, bytes);
  const image = hub.addManifest(app, 'amd64', {
    mediaType: ociManifest,
    config: describe('application/vnd.oci.image.config.v1+json', bytes, layer),
    layers: [describe('application/vnd.oci.image.layer.v1.tar', bytes, layer)],
  });
  const index = hub.addManifest(app, edge, {
    mediaType: ociIndex,
    manifests: [describe(ociManifest, image.bytes, image.digest)],
  });
  await manifests.get(route(app), edge);
  await manifests.get(route(app), image.digest);
  await pins.add({ repository: route(app).key, reference: edge });
  expect(await pinned()).toEqual([layer, image.digest, index.digest].toSorted());
});

it('follow their tag to another image, and let the old one go', async () => {
  const { hub, manifests, route, catalog } = scaffold;
  const add = (text: string): ReturnType<typeof hub.addManifest> => {
    const bytes = Buffer.from(text);
    const layer = hub.addBlob(app, bytes);
    return hub.addManifest(app, edge, {
      mediaType: ociManifest,
      config: describe('application/vnd.oci.image.config.v1+json', bytes, layer),
      layers: [],
    });
  };
  const repository = route(app).key;
  await pins.add({ repository, reference: edge });
  const old = add('one');
  await manifests.get(route(app), edge);
  expect(await pinned()).toContain(old.digest);
  const moved = add('two');
  const { bytes, digest } = moved;
  await manifests.get(route(app), digest);
  await catalog.putTag(repository, edge, {
    digest,
    mediaType: ociManifest,
    size: bytes.length,
    checkedAt: Date.now(),
  });
  expect(await pinned()).toContain(digest);
  expect(await pinned()).not.toContain(old.digest);
});
