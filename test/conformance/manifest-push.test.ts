import { expect, it, jest } from '@jest/globals';
import { digestAlgorithms, digestOf } from '../../src/oci/digest.ts';
import { maxManifestSize } from '../../src/oci/manifest.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { content, descriptorOf, seededImage, type Content, type Image } from '../support/images.ts';
import { locationOf } from './blob-uploads.ts';
import { describeRegistry } from './describe-registry.ts';
import {
  freshImage,
  freshIndex,
  freshLayer,
  pushBlobs,
  pushImage,
  putManifest,
} from './manifest-push.ts';
import { codesOf } from './registry-client.ts';

jest.setTimeout(60_000);

const repository = 'conformance/manifests';
const empty = content(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
/** A layer whose bytes are to be had elsewhere only (image-spec, layer.md, "Non-Distributable Layers"). */
const elsewhere = {
  ...descriptorOf(freshLayer()),
  mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  urls: ['https://store.example.com/layer'],
};

/** Every shape that a manifest may have. */
const shapes: Readonly<Record<string, () => Image>> = {
  'an image': () => freshImage(),
  'an image in the Docker format': () => seededImage([600, 300], 8811, 'docker'),
  'an image without layers': () => freshImage({ layers: [] }),
  'an image whose descriptors carry their data': () => {
    const layer = freshLayer();
    const layers = [{ ...descriptorOf(layer), data: layer.bytes.toString('base64') }];
    return freshImage({ layers: [layer], more: { layers } });
  },
  'an image with members that nobody knows': () =>
    freshImage({ more: { 'org.example.unknown': { deep: [1, 2, 3] } } }),
  'an image with a layer that may not be distributed': () =>
    freshImage({ layers: [], more: { layers: [elsewhere] } }),
  'an artifact': () =>
    freshImage({ config: empty, more: { artifactType: 'application/vnd.example.sbom' } }),
  'an artifact without layers': () =>
    freshImage({ config: empty, layers: [empty], more: { artifactType: 'text/x-empty' } }),
  'an index': () => freshIndex([freshImage(), freshImage()]),
  'an index of nothing': () => freshIndex([]),
  'an index of indexes': () => freshIndex([freshIndex([freshImage()]), freshIndex([])]),
  'an index that is an artifact': () =>
    freshIndex([freshImage()], { more: { artifactType: 'application/vnd.example.set' } }),
  'a manifest of almost 4 MB': () => {
    const names = Array.from({ length: 390 }, (_, index) => `note-${String(index)}`);
    const annotations = Object.fromEntries(names.map((name) => [name, 'A'.repeat(10_000)]));
    return freshImage({ more: { annotations } });
  },
  'an image named by sha512 throughout': () => freshImage({ algorithm: 'sha512' }),
  'an index named by sha512 throughout': () =>
    freshIndex([freshImage({ algorithm: 'sha512' })], { algorithm: 'sha512' }),
};

describeRegistry('Pushing manifests', (registry) => {
  const served = async (reference: string, { bytes, mediaType, digest }: Content) => {
    const path = reference.includes('/') ? reference : `/v2/${repository}/manifests/${reference}`;
    const headers = {
      'content-type': mediaType,
      'content-length': String(bytes.length),
      'docker-content-digest': digest,
    };
    const got = await registry.client.send('GET', path);
    expect(got).toMatchObject({ status: 200, headers });
    expect(got.body.equals(bytes)).toBe(true);
    const head = await registry.client.send('HEAD', path);
    expect(head).toMatchObject({ status: 200, headers });
    expect(head.body).toHaveLength(0);
  };

  it.each(Object.entries(shapes))('keeps %s byte for byte', async (_, shape) => {
    const { client } = registry;
    const image = shape();
    const { manifest } = image;
    await pushImage(client, repository, image);
    const answer = await putManifest(client, repository, manifest.digest, manifest);
    expect(answer.headers['docker-content-digest']).toBe(manifest.digest);
    await served(locationOf(answer, 201), manifest);
    await served(manifest.digest, manifest);
  });

  it('tags what is pushed under a tag, and moves the tag with the next push', async () => {
    const { client } = registry;
    for (const image of [freshImage(), freshIndex([freshImage()])]) {
      await pushImage(client, repository, image);
      const answer = await putManifest(client, repository, 'moving', image.manifest);
      expect(answer.headers['docker-content-digest']).toBe(image.manifest.digest);
      await served(locationOf(answer, 201), image.manifest);
      await served('moving', image.manifest);
    }
  });

  it.each(digestAlgorithms)(
    'sets all the tags that are named beside a %s, ten and more',
    async (algorithm) => {
      const { client } = registry;
      const image = freshImage({ algorithm });
      const tags = Array.from({ length: 12 }, (_, index) => `${algorithm}-${String(index)}`);
      await pushBlobs(client, repository, ...image.blobs);
      const reference = `${image.manifest.digest}?${tags.map((tag) => `tag=${tag}`).join('&')}`;
      const answer = await putManifest(client, repository, reference, image.manifest);
      expect(answer.status).toBe(201);
      expect(answer.headers['oci-tag']?.split(/, */)).toEqual(tags);
      for (const tag of tags) await served(tag, image.manifest);
    },
  );

  it('sets none of several tags where one of them is no tag', async () => {
    const { client } = registry;
    const image = freshImage();
    await pushBlobs(client, repository, ...image.blobs);
    const reference = `${image.manifest.digest}?tag=fine&tag=-no-tag`;
    const answer = await putManifest(client, repository, reference, image.manifest);
    expect(answer.status).toBe(400);
    expect((await client.send('GET', `/v2/${repository}/manifests/fine`)).status).toBe(404);
  });

  it('ignores parameters of the media type', async () => {
    const { client } = registry;
    const image = freshImage();
    await pushBlobs(client, repository, ...image.blobs);
    const { bytes, mediaType, digest } = image.manifest;
    const withCharset = { bytes, mediaType: `${mediaType}; charset=utf-8` };
    expect((await putManifest(client, repository, digest, withCharset)).status).toBe(201);
    await served(digest, image.manifest);
  });

  const text = (value: string): Content => content(Buffer.from(value), mediaTypes.ociManifest);
  const missing = freshImage();
  const childless = freshIndex([missing]);
  const fine = freshImage({ layers: [], config: empty });
  it.each([
    ['that is no JSON', text('{"schemaVersion":2,'), 'MANIFEST_INVALID'],
    ['that is no object', text('[]'), 'MANIFEST_INVALID'],
    ['that has no config', text('{"schemaVersion":2,"layers":[]}'), 'MANIFEST_INVALID'],
    ['whose blobs were not pushed', missing.manifest, 'MANIFEST_BLOB_UNKNOWN'],
    ['whose manifests were not pushed', childless.manifest, 'MANIFEST_BLOB_UNKNOWN'],
    [
      'that calls itself something else than its Content-Type',
      { ...fine.manifest, mediaType: mediaTypes.ociIndex },
      'MANIFEST_INVALID',
    ],
  ])('refuses a manifest %s', async (_, manifest, code) => {
    const { client } = registry;
    await pushBlobs(client, repository, empty);
    const answer = await putManifest(client, repository, 'refused', manifest);
    expect([400, 404]).toContain(answer.status);
    expect(codesOf(answer)).toContain(code);
    expect((await client.send('GET', `/v2/${repository}/manifests/refused`)).status).toBe(404);
  });

  it('refuses a manifest whose blobs are in another repository only', async () => {
    const { client } = registry;
    const image = freshImage();
    await pushBlobs(client, 'conformance/other', ...image.blobs);
    const answer = await putManifest(client, repository, 'refused', image.manifest);
    expect(codesOf(answer)).toContain('MANIFEST_BLOB_UNKNOWN');
  });

  it.each([
    ['a digest of other bytes', digestOf(Buffer.from('other')), 'DIGEST_INVALID'],
    ['a malformed digest', 'sha256:baddigeststring', 'DIGEST_INVALID'],
    ['what is no tag', '-no-tag', 'TAG_INVALID'],
  ])('refuses to put a manifest under %s', async (_, reference, code) => {
    const { client } = registry;
    const image = freshImage();
    await pushBlobs(client, repository, ...image.blobs);
    const answer = await putManifest(client, repository, reference, image.manifest);
    expect(answer.status).toBe(400);
    expect(codesOf(answer)).toEqual([code]);
    const got = await client.send('GET', `/v2/${repository}/manifests/${image.manifest.digest}`);
    expect(got.status).toBe(404);
  });

  it('refuses a manifest that is too large with 413', async () => {
    const { client } = registry;
    const more = { annotations: { long: 'A'.repeat(maxManifestSize) } };
    const { manifest } = freshImage({ more });
    expect((await putManifest(client, repository, 'large', manifest)).status).toBe(413);
  });
});
