import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { maxBundleIndexSize, parseBundleIndex } from '../../src/bundle/bundle-index.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';

const [first, second, third] = ['a', 'b', 'c']
  .map((text) => digestOf(Buffer.from(text)))
  .toSorted() as readonly string[] as readonly [string, string, string];

const image = {
  name: 'docker.io/library/nginx:1.27',
  digest: first,
  mediaType: mediaTypes.ociIndex,
  size: 10,
  platforms: ['linux/amd64'],
};
const referrer = {
  repository: 'docker.io/library/nginx',
  subject: first,
  digest: second,
  mediaType: mediaTypes.ociManifest,
  size: 20,
  artifactType: 'application/spdx+json',
  annotations: { made: 'here' },
};
const blob = { digest: third, size: 0, included: false };
const good = {
  version: 1,
  index: { digest: third, size: 30 },
  images: [image],
  referrers: [referrer],
  manifests: [
    { digest: first, mediaType: mediaTypes.ociIndex, size: 10 },
    { digest: second, mediaType: mediaTypes.ociManifest, size: 20 },
  ],
  blobs: [blob],
};

const read = (document: unknown): unknown =>
  parseBundleIndex(Buffer.from(JSON.stringify(document)));

describe('the digest index of a bundle', () => {
  it('is read as it was written', () => {
    expect(read(good)).toEqual(good);
  });

  it('may name an image by its digest, and a referrer without a type', () => {
    const { artifactType: _type, annotations: _annotations, ...bare } = referrer;
    const images = [{ ...image, name: `docker.io/library/nginx@${first}`, platforms: [] }];
    expect(read({ ...good, images, referrers: [bare] })).toMatchObject({ images });
  });

  it.each<[string, unknown]>([
    ['no object', []],
    ['nothing', null],
    ['another version', { ...good, version: 2 }],
    ['the version as a text', { ...good, version: '1' }],
    ['a member more', { ...good, more: 1 }],
    ['a member less', { ...good, blobs: undefined }],
    ['a list that is none', { ...good, blobs: {} }],
    ['an index without a size', { ...good, index: { digest: third } }],
    ['a negative size', { ...good, blobs: [{ digest: third, size: -1, included: true }] }],
    [
      'a size that is no integer',
      { ...good, blobs: [{ digest: third, size: 1.5, included: true }] },
    ],
    ['a size past all counting', { ...good, index: { digest: third, size: 2 ** 60 } }],
    ['a size that is a text', { ...good, blobs: [{ digest: third, size: '1', included: true }] }],
    ['no word of inclusion', { ...good, blobs: [{ digest: third, size: 1 }] }],
    ['a path for a digest', { ...good, blobs: [{ digest: '../x', size: 1, included: true }] }],
    ['the same blob twice', { ...good, blobs: [blob, blob] }],
    ['another order', { ...good, manifests: good.manifests.toReversed() }],
    [
      'a manifest among the blobs',
      { ...good, blobs: [{ digest: first, size: 10, included: true }] },
    ],
    ['an image that is no manifest', { ...good, manifests: good.manifests.slice(1) }],
    [
      'a platform that a terminal obeys',
      { ...good, images: [{ ...image, platforms: ['\u001b[2J'] }] },
    ],
    ['another size for an image', { ...good, images: [{ ...image, size: 11 }] }],
    [
      'another type for an image',
      { ...good, images: [{ ...image, mediaType: mediaTypes.dockerList }] },
    ],
    [
      'an unknown type',
      { ...good, manifests: [{ digest: first, mediaType: 'text/html', size: 1 }] },
    ],
    ['a name without a tag', { ...good, images: [{ ...image, name: 'docker.io/library/nginx' }] }],
    ['a name with another digest', { ...good, images: [{ ...image, name: `nginx@${second}` }] }],
    ['an endless name', { ...good, images: [{ ...image, name: `${'n'.repeat(2000)}:1` }] }],
    ['platforms that are none', { ...good, images: [{ ...image, platforms: [{}] }] }],
    ['a referrer to nothing', { ...good, referrers: [{ ...referrer, subject: 'x' }] }],
    [
      'annotations that are no texts',
      { ...good, referrers: [{ ...referrer, annotations: { a: 1 } }] },
    ],
  ])('is refused with %s', (_what, document) => {
    expect(() => read(document)).toThrow(/^baleen\.json is not right: /);
  });

  it('is refused where it is larger than it may be, before it is parsed', () => {
    const large = Buffer.alloc(maxBundleIndexSize + 1, ' ');
    expect(() => parseBundleIndex(large)).toThrow('it is too large');
  });

  it('is never anything but read or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(() => parseBundleIndex(Buffer.from(text))).toThrow(/^baleen\.json is not/);
      }),
    );
  });
});
