import { describe, expect, it, jest } from '@jest/globals';
import { digestAlgorithms, digestOf } from '../../src/oci/digest.ts';
import { seededBytes } from '../support/images.ts';
import { close, locationOf, open, sendChunk, thirds, uploads, withQuery } from './blob-uploads.ts';
import { describeRegistry } from './describe-registry.ts';
import { codesOf } from './registry-client.ts';

jest.setTimeout(60_000);

const repository = 'conformance/pushes';
let seed = 1;
/** Some bytes that were never pushed before. */
const fresh = (size = 3067): Buffer => seededBytes(size, (seed += 1));

describeRegistry('Pushing blobs', (registry) => {
  describe.each(Object.entries(uploads))('%s', (_, upload) => {
    it.each(digestAlgorithms)(
      'stores a blob under its %s, to be had at once',
      async (algorithm) => {
        const { client } = registry;
        const bytes = fresh();
        const digest = digestOf(bytes, algorithm);
        const answer = await upload(client, repository, bytes, digest);
        const location = locationOf(answer, 201);
        expect(answer.headers['docker-content-digest']).toBe(digest);
        expect((await client.send('GET', location)).body).toEqual(bytes);
        const head = await client.send('HEAD', `/v2/${repository}/blobs/${digest}`);
        expect(head).toMatchObject({
          status: 200,
          headers: { 'content-length': String(bytes.length), 'docker-content-digest': digest },
        });
        expect(head.body).toHaveLength(0);
      },
    );

    it.each(digestAlgorithms)('refuses bytes that are not those of the %s', async (algorithm) => {
      const { client } = registry;
      const digest = digestOf(fresh(), algorithm);
      const answer = await upload(client, repository, fresh(), digest);
      expect(answer.status).toBe(400);
      expect(codesOf(answer)).toEqual(['DIGEST_INVALID']);
      expect((await client.send('GET', `/v2/${repository}/blobs/${digest}`)).status).toBe(404);
    });
  });

  it.each(['with a POST and a PUT', 'as one stream without a length'])(
    'stores a blob of no bytes %s',
    async (way) => {
      const { client } = registry;
      const bytes = new Uint8Array();
      const digest = digestOf(bytes);
      const location = locationOf(await uploads[way]!(client, repository, bytes, digest), 201);
      expect(await client.send('GET', location)).toMatchObject({
        status: 200,
        headers: { 'content-length': '0' },
      });
      await client.send('DELETE', `/v2/${repository}/blobs/${digest}`);
    },
  );

  it.each([
    ['a malformed digest', 'sha256:baddigeststring'],
    ['an algorithm that it cannot verify', `md5:${'0'.repeat(32)}`],
    ['no digest', ''],
  ])('refuses to close a session with %s', async (_, digest) => {
    const { client } = registry;
    const answer = await close(client, await open(client, repository), digest);
    expect(answer.status).toBe(400);
    expect(codesOf(answer)).toEqual(['DIGEST_INVALID']);
  });

  it('takes the algorithm that a client says beforehand, and no unknown one', async () => {
    const { client } = registry;
    const path = `/v2/${repository}/blobs/uploads/?digest-algorithm=`;
    const bytes = fresh();
    const digest = digestOf(bytes, 'sha512');
    const location = locationOf(await client.send('POST', `${path}sha512`), 202);
    const sent = locationOf(await sendChunk(client, location, bytes, 0), 202);
    expect((await close(client, sent, digest)).status).toBe(201);
    expect((await client.send('POST', `${path}md5`)).status).toBe(400);
  });
});

describeRegistry('An upload session', (registry) => {
  /** A session that holds the first third of some bytes. */
  const begin = async () => {
    const bytes = fresh();
    const [first, second, third] = thirds(bytes);
    const started = await open(registry.client, repository);
    const sent = await sendChunk(registry.client, started, first[1], 0);
    return { bytes, second, third, sent, location: locationOf(sent, 202) };
  };

  it('says how far it has come, in the answer to a chunk and when asked', async () => {
    const { client } = registry;
    const { sent, location } = await begin();
    expect(sent.headers['range']).toBe('0-1022');
    expect(await client.send('GET', location)).toMatchObject({
      status: 204,
      headers: { range: '0-1022', location: expect.any(String) },
    });
  });

  it.each(['PATCH', 'PUT'] as const)(
    'refuses a chunk out of order by %s with 416, and goes on where it was',
    async (method) => {
      const { client } = registry;
      const { bytes, second, third, location } = await begin();
      const digest = digestOf(bytes);
      for (const [from, chunk] of [third, [0, bytes.subarray(0, 1023)] as const]) {
        const answer =
          method === 'PATCH'
            ? await sendChunk(client, location, chunk, from)
            : await close(client, location, digest, { bytes: chunk, from });
        expect(answer.status).toBe(416);
      }
      const status = await client.send('GET', location);
      expect(status.headers['range']).toBe('0-1022');
      const next = locationOf(status, 204);
      const after = locationOf(await sendChunk(client, next, second[1], second[0]), 202);
      const closed = await close(client, after, digest, { bytes: third[1], from: third[0] });
      expect((await client.send('GET', locationOf(closed, 201))).body).toEqual(bytes);
    },
  );

  it('refuses a first chunk that does not begin at the beginning', async () => {
    const { client } = registry;
    const location = await open(client, repository);
    expect((await sendChunk(client, location, fresh(), 1024)).status).toBe(416);
    const status = await client.send('GET', location);
    expect(status.status).toBe(204);
    expect(status.headers['range']).toMatch(/^0-\d+$/);
  });

  it('is gone when it was cancelled', async () => {
    const { client } = registry;
    const { location } = await begin();
    expect((await client.send('DELETE', location)).status).toBe(204);
    const answer = await client.send('GET', location);
    expect(answer.status).toBe(404);
    expect(codesOf(answer)).toEqual(['BLOB_UPLOAD_UNKNOWN']);
  });

  it.each(['GET', 'PATCH', 'PUT', 'DELETE'] as const)(
    'is unknown to %s where it never was',
    async (method) => {
      const path = `/v2/${repository}/blobs/uploads/7f0e2f7c-8c8c-4f6c-9d8e-0a1b2c3d4e5f`;
      const target = method === 'PUT' ? withQuery(path, 'digest', digestOf(fresh())) : path;
      const answer = await registry.client.send(method, target);
      expect(answer.status).toBe(404);
      expect(codesOf(answer)).toEqual(['BLOB_UPLOAD_UNKNOWN']);
    },
  );

  it('belongs to the repository that it was opened in', async () => {
    const { client } = registry;
    const { location } = await begin();
    const elsewhere = location.replace(repository, 'conformance/elsewhere');
    expect((await client.send('GET', elsewhere)).status).toBe(404);
  });
});

describeRegistry('Mounting', (registry) => {
  const mount = async (digest: string, from = '') => {
    const source = from === '' ? '' : `&from=${from}`;
    const path = `/v2/conformance/target/blobs/uploads/?mount=${digest}${source}`;
    return registry.client.send('POST', path);
  };
  /** A blob that only the source has. */
  const pushed = async (algorithm: (typeof digestAlgorithms)[number]) => {
    const bytes = fresh();
    const digest = digestOf(bytes, algorithm);
    await uploads['with a POST and a PUT']!(registry.client, 'conformance/source', bytes, digest);
    return { bytes, digest };
  };

  it.each(digestAlgorithms)(
    'takes a blob over from another repository, by its %s',
    async (algorithm) => {
      const { bytes, digest } = await pushed(algorithm);
      const answer = await mount(digest, 'conformance/source');
      expect(answer.headers['docker-content-digest']).toBe(digest);
      const { body } = await registry.client.send('GET', locationOf(answer, 201));
      expect(body).toEqual(bytes);
    },
  );

  it('finds a blob also where no source is named', async () => {
    const { bytes, digest } = await pushed('sha256');
    // Who has a token needs one for the source as well.
    await mount(digest, 'conformance/source');
    await registry.client.send('DELETE', `/v2/conformance/target/blobs/${digest}`);
    const answer = await mount(digest);
    expect((await registry.client.send('GET', locationOf(answer, 201))).body).toEqual(bytes);
  });

  it.each([
    ['that is nowhere', 'conformance/source'],
    ['from a repository that is nowhere', 'conformance/nowhere'],
    ['from whichever repository may have it', ''],
  ])('begins an ordinary upload for a blob %s', async (_, from) => {
    const { client } = registry;
    const bytes = fresh();
    const digest = digestOf(bytes);
    const location = locationOf(await mount(digest, from), 202);
    const answer = await client.send('PUT', withQuery(location, 'digest', digest), { body: bytes });
    expect((await client.send('GET', locationOf(answer, 201))).body).toEqual(bytes);
  });

  it('refuses a malformed digest', async () => {
    expect((await mount('sha256:baddigeststring', 'conformance/source')).status).toBe(400);
  });
});
