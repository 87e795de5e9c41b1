import { expect, it, jest } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { describeRegistry } from './describe-registry.ts';
import { freshImage, freshIndex, freshLayer, pushBlobs, pushImage } from './manifest-push.ts';
import { codesOf } from './registry-client.ts';

jest.setTimeout(60_000);

const repository = 'conformance/deletes';

describeRegistry('Deleting', (registry) => {
  const status = async (method: 'HEAD' | 'GET' | 'DELETE', what: string): Promise<number> =>
    (await registry.client.send(method, `/v2/${repository}/${what}`)).status;

  it('takes away a tag, and leaves the manifest and its other tags', async () => {
    const { client } = registry;
    const image = freshImage();
    await pushImage(client, repository, image, 'kept');
    await pushImage(client, repository, image, 'deleted');
    expect(await status('DELETE', 'manifests/deleted')).toBe(202);
    expect(await status('HEAD', 'manifests/deleted')).toBe(404);
    expect(await status('HEAD', 'manifests/kept')).toBe(200);
    expect(await status('HEAD', `manifests/${image.manifest.digest}`)).toBe(200);
    const { body } = await client.send('GET', `/v2/${repository}/tags/list`);
    expect(JSON.parse(body.toString())).toMatchObject({ tags: ['kept'] });
  });

  it('takes away a manifest with every tag that points to it', async () => {
    const { client } = registry;
    const image = freshImage();
    for (const tag of ['one', 'two']) await pushImage(client, repository, image, tag);
    expect(await status('DELETE', `manifests/${image.manifest.digest}`)).toBe(202);
    for (const reference of ['one', 'two', image.manifest.digest]) {
      expect(await status('HEAD', `manifests/${reference}`)).toBe(404);
      expect(await status('GET', `manifests/${reference}`)).toBe(404);
    }
  });

  it('leaves the manifests of an index that was deleted', async () => {
    const image = freshImage();
    const index = freshIndex([image]);
    await pushImage(registry.client, repository, index);
    expect(await status('DELETE', `manifests/${index.manifest.digest}`)).toBe(202);
    expect(await status('GET', `manifests/${image.manifest.digest}`)).toBe(200);
  });

  it('takes away a blob that no manifest names, at once', async () => {
    const layer = freshLayer();
    await pushBlobs(registry.client, repository, layer);
    expect(await status('DELETE', `blobs/${layer.digest}`)).toBe(202);
    expect(await status('HEAD', `blobs/${layer.digest}`)).toBe(404);
    expect(await status('GET', `blobs/${layer.digest}`)).toBe(404);
  });

  it('takes away no blob that a manifest still names', async () => {
    const { client } = registry;
    const layer = freshLayer();
    const image = freshImage({ layers: [layer] });
    await pushImage(client, repository, image);
    const refused = await client.send('DELETE', `/v2/${repository}/blobs/${layer.digest}`);
    expect(refused.status).toBe(403);
    expect(codesOf(refused)).toEqual(['DENIED']);
    expect(await status('GET', `blobs/${layer.digest}`)).toBe(200);
    await status('DELETE', `manifests/${image.manifest.digest}`);
    expect(await status('DELETE', `blobs/${layer.digest}`)).toBe(202);
  });

  it('takes a blob out of one repository, and leaves it in another', async () => {
    const { client } = registry;
    const layer = freshLayer();
    for (const name of [repository, 'conformance/other']) await pushBlobs(client, name, layer);
    expect(await status('DELETE', `blobs/${layer.digest}`)).toBe(202);
    const other = await client.send('GET', `/v2/conformance/other/blobs/${layer.digest}`);
    expect(other.body).toEqual(layer.bytes);
  });

  it('takes back what is pushed again after it was deleted', async () => {
    const { client } = registry;
    const image = freshImage();
    await pushImage(client, repository, image, 'again');
    await status('DELETE', `manifests/${image.manifest.digest}`);
    for (const { digest } of image.blobs) await status('DELETE', `blobs/${digest}`);
    await pushImage(client, repository, image, 'again');
    expect(await status('GET', 'manifests/again')).toBe(200);
    for (const { digest } of image.blobs) expect(await status('GET', `blobs/${digest}`)).toBe(200);
  });

  const nowhere = digestOf(Buffer.from('nowhere'));
  it.each([
    ['a tag', 'manifests/nowhere', 404, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN']],
    ['a manifest', `manifests/${nowhere}`, 404, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN']],
    ['a blob', `blobs/${nowhere}`, 404, ['BLOB_UNKNOWN', 'NAME_UNKNOWN']],
    ['a malformed digest', 'manifests/sha256:baddigeststring', 400, ['DIGEST_INVALID']],
  ])('says of %s that it is not there', async (_, what, expected, codes) => {
    const answer = await registry.client.send('DELETE', `/v2/${repository}/${what}`);
    expect(answer.status).toBe(expected);
    expect(codes).toContain(codesOf(answer)[0]);
  });
});
