import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { content } from '../support/images.ts';
import { describeRegistry } from './describe-registry.ts';
import { freshImage, freshLayer, pushBlobs, pushImage } from './manifest-push.ts';
import { codesOf } from './registry-client.ts';

jest.setTimeout(60_000);

const repository = 'conformance/pulls';
const blob = content(Buffer.alloc(2048, 'abcdefg'), 'application/octet-stream');

describeRegistry('Pulling', (registry) => {
  beforeAll(async () => {
    await pushBlobs(registry.client, repository, blob);
  });

  it.each([
    ['bytes=500-1499', 500, 1499],
    ['bytes=500-', 500, 2047],
    ['bytes=-500', 1548, 2047],
    ['bytes=2000-5000', 2000, 2047],
    ['bytes=0-0', 0, 0],
  ])('gives %s of a blob', async (range, first, last) => {
    const path = `/v2/${repository}/blobs/${blob.digest}`;
    const answer = await registry.client.send('GET', path, { headers: { range } });
    expect(answer).toMatchObject({
      status: 206,
      headers: {
        'content-range': `bytes ${String(first)}-${String(last)}/2048`,
        'content-length': String(last - first + 1),
      },
    });
    expect(answer.body).toEqual(blob.bytes.subarray(first, last + 1));
  });

  it.each(['bytes=500-0', 'bytes=5000-10000', 'bytes=2048-'])('has no %s', async (range) => {
    const path = `/v2/${repository}/blobs/${blob.digest}`;
    const answer = await registry.client.send('GET', path, { headers: { range } });
    expect(answer.status).toBe(416);
    expect(codesOf(answer)).toEqual(['RANGE_INVALID']);
  });

  const nowhere = digestOf(Buffer.from('nowhere'));
  describe.each(['conformance/pulls', 'conformance/never-pushed-to'])('from %s', (name) => {
    it.each([
      ['a tag', 'manifests/missing', 404, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN']],
      ['a manifest', `manifests/${nowhere}`, 404, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN']],
      ['a blob', `blobs/${nowhere}`, 404, ['BLOB_UNKNOWN', 'NAME_UNKNOWN']],
      ['a malformed digest of a manifest', 'manifests/sha256:bad', 400, ['DIGEST_INVALID']],
      ['a malformed digest of a blob', 'blobs/sha256:bad', 400, ['DIGEST_INVALID']],
    ])('answers for %s that is not there', async (_, what, status, codes) => {
      const answer = await registry.client.send('GET', `/v2/${name}/${what}`);
      expect(answer.status).toBe(status);
      expect(codes).toContain(codesOf(answer)[0]);
      const head = await registry.client.send('HEAD', `/v2/${name}/${what}`);
      expect(head.status).toBe(status);
      expect(head.body).toHaveLength(0);
    });
  });

  it('has a blob in the repositories that it was pushed to, and in no other', async () => {
    const { client } = registry;
    const layer = freshLayer();
    await pushBlobs(client, repository, layer);
    const other = `/v2/conformance/never-pushed-to/blobs/${layer.digest}`;
    expect((await client.send('GET', other)).status).toBe(404);
  });

  it('has a manifest in the repositories that it was pushed to, and in no other', async () => {
    const { client } = registry;
    const image = freshImage();
    await pushImage(client, repository, image);
    const { digest } = image.manifest;
    const other = `/v2/conformance/never-pushed-to/manifests/${digest}`;
    expect((await client.send('GET', other)).status).toBe(404);
    // A manifest is no blob, though its bytes are kept beside them.
    const asBlob = await client.send('GET', `/v2/conformance/never-pushed-to/blobs/${digest}`);
    expect(asBlob.status).toBe(404);
  });
});
