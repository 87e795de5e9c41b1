import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { send, type Answer } from '../support/http-send.ts';
import { startRegistryApp, type RegistryApp } from '../support/registry-app.ts';

let app: RegistryApp;
beforeEach(async () => {
  app = await startRegistryApp();
});
afterEach(() => app.dispose());

const repository = '/v2/local/app';
const content = Buffer.from(Array.from({ length: 3000 }, (_, index) => index % 251));
const digest = digestOf(content);

async function push(bytes: Buffer, name = repository): Promise<Digest> {
  const named = digestOf(bytes);
  const url = `${app.url}${name}/blobs/uploads/?digest=${named}`;
  expect((await send('POST', url, { body: bytes })).status).toBe(201);
  return named;
}

const blob = (method: string, named: string, name = repository): Promise<Answer> =>
  send(method, `${app.url}${name}/blobs/${named}`);

const range = (value: string): Promise<Answer> =>
  send('GET', `${app.url}${repository}/blobs/${digest}`, { headers: { range: value } });

async function pushManifest(layer: Digest): Promise<string> {
  const config = Buffer.from('{}');
  const descriptor = (named: Digest, size: number) => ({
    mediaType: 'application/octet-stream',
    digest: named,
    size,
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const body = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: descriptor(await push(config), config.length),
      layers: [descriptor(layer, content.length)],
    }),
  );
  const url = `${app.url}${repository}/manifests/v1`;
  const { status, headers } = await send('PUT', url, {
    body,
    headers: { 'content-type': mediaType },
  });
  expect(status).toBe(201);
  return String(headers['docker-content-digest']);
}

describe('a hosted blob', () => {
  it.each([
    ['bytes=500-1499', 206, [500, 1500]],
    ['bytes=2990-', 206, [2990, 3000]],
    ['bytes=-10', 206, [2990, 3000]],
    ['bytes=2000-5000', 206, [2000, 3000]],
    ['bytes=0-', 206, [0, 3000]],
    ['bytes=3000-', 416, undefined],
  ])('is given in part: %s', async (value, status, slice) => {
    await push(content);
    const answer = await range(value);
    expect(answer.status).toBe(status);
    if (slice !== undefined) expect(answer.body).toEqual(content.subarray(...slice));
  });

  it('is told to HEAD with all that a client needs', async () => {
    await push(content);
    const { status, headers, body } = await blob('HEAD', digest);
    expect([status, body.length]).toEqual([200, 0]);
    expect(headers).toMatchObject({
      'content-length': '3000',
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
      etag: `"${digest}"`,
    });
  });

  it('is unknown in any other repository', async () => {
    await push(content);
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      expect((await blob(method, digest, '/v2/local/other')).status).toBe(404);
    }
  });
});

describe('the deletion of a hosted blob', () => {
  it('takes it out of its repository at once, and of no other', async () => {
    await push(content);
    await push(content, '/v2/local/other');
    expect((await blob('DELETE', digest)).status).toBe(202);
    expect((await blob('HEAD', digest)).status).toBe(404);
    expect((await blob('GET', digest, '/v2/local/other')).body).toEqual(content);
    const again = await blob('DELETE', digest);
    expect([again.status, again.code]).toEqual([404, 'BLOB_UNKNOWN']);
    await push(content);
    expect((await blob('GET', digest)).body).toEqual(content);
  });

  it('is refused while a manifest of the repository needs it', async () => {
    await push(content);
    const manifest = await pushManifest(digest);
    const refused = await blob('DELETE', digest);
    expect([refused.status, refused.code]).toEqual([403, 'DENIED']);
    expect(refused.body.toString()).toContain(manifest);
    expect((await blob('GET', digest)).body).toEqual(content);
    await send('DELETE', `${app.url}${repository}/manifests/${manifest}`);
    expect((await blob('DELETE', digest)).status).toBe(202);
  });

  it('is refused for what is no digest, and for what is proxied', async () => {
    const malformed = await blob('DELETE', 'sha256:krill');
    expect([malformed.status, malformed.code]).toEqual([400, 'DIGEST_INVALID']);
    const proxied = await blob('DELETE', digest, '/v2/library/alpine');
    expect([proxied.status, proxied.code]).toEqual([405, 'UNSUPPORTED']);
  });

  it('is refused for all where deletes are off, which GET and HEAD do not mind', async () => {
    await app.dispose();
    app = await startRegistryApp({}, { delete: false });
    await push(content);
    const refused = await blob('DELETE', digest);
    expect([refused.status, refused.code, refused.headers.allow]).toEqual([
      405,
      'UNSUPPORTED',
      'GET, HEAD',
    ]);
    expect((await blob('GET', digest)).body).toEqual(content);
  });

  it('crosses no push of a manifest that needs it: one of the two is refused', async () => {
    const digests = await Promise.all(
      Array.from({ length: 20 }, (_, index) => push(Buffer.from(`layer ${index}`))),
    );
    for (const layer of digests) {
      const [deleted, pushed] = await Promise.all([
        blob('DELETE', layer),
        pushManifest(layer).then(
          () => true,
          () => false,
        ),
      ]);
      expect([deleted.status, pushed]).toEqual(pushed ? [403, true] : [202, false]);
    }
  });
});

describe('a path of blobs', () => {
  it('says which methods it knows', async () => {
    const known = await send('PATCH', `${app.url}${repository}/blobs/${digest}`);
    expect([known.status, known.headers.allow]).toEqual([405, 'GET, HEAD, DELETE']);
    const session = `${app.url}${repository}/blobs/uploads/1f0e6bd7-5ee1-4a9b-8c94-1d6ec6ef8a3c`;
    const upload = await send('POST', session);
    expect([upload.status, upload.headers.allow]).toEqual([405, 'GET, HEAD, PATCH, PUT, DELETE']);
  });
});
