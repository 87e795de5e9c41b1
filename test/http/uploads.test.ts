import { readdir, readFile, stat } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Guard } from '../../src/http/registry-request.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { answerOf, open, send, type Answer } from '../support/http-send.ts';
import { startRegistryApp, type RegistryApp } from '../support/registry-app.ts';
import { waitFor } from '../support/wait-for.ts';

/** Lets everybody do everything. */
const openGuard: Guard = {
  admit() {},
  admitToCatalog() {},
  permitsSource: () => true,
  visible: (_context, names) => [...names],
};

let app: RegistryApp;
beforeEach(async () => {
  app = await startRegistryApp();
});
afterEach(() => app.dispose());

const repository = '/v2/local/app';
const content = Buffer.from('a layer of an image, as far as anybody knows');
const digest = digestOf(content);
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const post = (path = `${repository}/blobs/uploads/`, body?: Buffer): Promise<Answer> =>
  send('POST', `${app.url}${path}`, body && { body });

/** Begins an upload; gives its URL. */
async function begin(path?: string): Promise<string> {
  const { status, headers } = await post(path);
  expect(status).toBe(202);
  return `${app.url}${headers.location}`;
}

const patch = (url: string, body: Buffer, range?: string): Promise<Answer> =>
  send('PATCH', url, { body, ...(range !== undefined && { headers: { 'content-range': range } }) });

const put = (url: string, named: string, body = Buffer.alloc(0)): Promise<Answer> =>
  send('PUT', `${url}?digest=${named}`, { body });

/** What a pull gives; undefined where there is no such blob. */
async function pulled(named: Digest, name = repository): Promise<Buffer | undefined> {
  const { status, body } = await send('GET', `${app.url}${name}/blobs/${named}`);
  expect([200, 404]).toContain(status);
  return status === 200 ? body : undefined;
}

const uploadFolders = (): Promise<string[]> =>
  readdir(app.hosted.layout.uploads).catch((): string[] => []);

describe('an upload', () => {
  it('begins with a place of its own, below the repository, and nothing in it', async () => {
    const { status, headers, body } = await post();
    expect(status).toBe(202);
    const id = headers['docker-upload-uuid'];
    expect(id).toMatch(uuid);
    expect(headers).toMatchObject({
      location: `${repository}/blobs/uploads/${String(id)}`,
      range: '0-0',
      'content-length': '0',
    });
    expect(body).toHaveLength(0);
    expect((await post(`${repository}/blobs/uploads`)).status).toBe(202);
  });

  it('takes the whole in one PUT', async () => {
    const url = await begin();
    const { status, headers } = await put(url, digest, content);
    expect(status).toBe(201);
    expect(headers).toMatchObject({
      location: `${repository}/blobs/${digest}`,
      'docker-content-digest': digest,
      'content-length': '0',
    });
    expect(await pulled(digest)).toEqual(content);
    expect(await uploadFolders()).toEqual([]);
  });

  it('takes one stream without a range and without a length, as docker sends it', async () => {
    const url = await begin();
    const parts = [content.subarray(0, 10), content.subarray(10, 12), content.subarray(12)];
    const { status, headers } = await send('PATCH', url, { body: parts });
    expect(status).toBe(202);
    expect(headers.range).toBe(`0-${content.length - 1}`);
    expect(headers.location).toBe(new URL(url).pathname);
    expect((await put(url, digest)).status).toBe(201);
    expect(await pulled(digest)).toEqual(content);
  });

  it('takes chunks in order, the last one in the PUT', async () => {
    const url = await begin();
    const first = await patch(url, content.subarray(0, 10), '0-9');
    expect([first.status, first.headers.range]).toEqual([202, '0-9']);
    const second = await patch(url, content.subarray(10, 20), 'bytes 10-19/*');
    expect([second.status, second.headers.range]).toEqual([202, '0-19']);
    const { status } = await send('PUT', `${url}?digest=${digest}`, {
      body: content.subarray(20),
      headers: { 'content-range': `20-${content.length - 1}` },
    });
    expect(status).toBe(201);
    expect(await pulled(digest)).toEqual(content);
  });

  it.each([
    ['ahead', '20-29'],
    ['again', '0-9'],
  ])('refuses a chunk that comes %s, says where to go on, and goes on', async (_what, range) => {
    const url = await begin();
    await patch(url, content.subarray(0, 10), '0-9');
    const refused = await patch(url, content.subarray(20, 30), range);
    expect([refused.status, refused.code]).toEqual([416, 'RANGE_INVALID']);
    expect(refused.headers).toMatchObject({ range: '0-9', location: new URL(url).pathname });
    expect(refused.headers).not.toHaveProperty('content-range');
    const late = await send('PUT', `${url}?digest=${digest}`, {
      body: content.subarray(20, 30),
      headers: { 'content-range': range },
    });
    expect([late.status, late.headers.range]).toEqual([416, '0-9']);
    const asked = await send('GET', url);
    expect([asked.status, asked.headers.range]).toEqual([204, '0-9']);
    await patch(url, content.subarray(10), `10-${content.length - 1}`);
    expect((await put(url, digest)).status).toBe(201);
  });

  it.each([
    ['says another length than its range', '0-8', 400, 'SIZE_INVALID'],
    ['has a range that is none', '9-0', 400, 'BLOB_UPLOAD_INVALID'],
    ['has a range in other words', 'all of it', 400, 'BLOB_UPLOAD_INVALID'],
  ])('refuses a chunk that %s', async (_what, range, status, code) => {
    const url = await begin();
    const refused = await patch(url, content.subarray(0, 10), range);
    expect([refused.status, refused.code]).toEqual([status, code]);
    expect((await send('GET', url)).headers.range).toBe('0-0');
  });

  it('refuses a stream that is longer or shorter than its range', async () => {
    const long = await begin();
    const parts = [content.subarray(0, 10), content.subarray(10, 20)];
    const headers = { 'content-range': '0-14' };
    expect(await send('PATCH', long, { body: parts, headers })).toMatchObject({
      status: 400,
      code: 'SIZE_INVALID',
    });
    const short = await begin();
    const more = { 'content-range': '0-29' };
    expect(await send('PATCH', short, { body: parts, headers: more })).toMatchObject({
      status: 400,
      code: 'SIZE_INVALID',
    });
    for (const url of [long, short]) {
      const { range } = (await send('GET', url)).headers;
      const there = Number(range?.slice(2)) + 1;
      await patch(url, content.subarray(there));
      expect((await put(url, digest)).status).toBe(201);
    }
  });

  it('tells how far it is, also to HEAD, and can be given up', async () => {
    const url = await begin();
    await patch(url, content);
    for (const method of ['GET', 'HEAD']) {
      const { status, headers } = await send(method, url);
      expect(status).toBe(204);
      expect(headers).toMatchObject({
        range: `0-${content.length - 1}`,
        location: new URL(url).pathname,
        'docker-upload-uuid': url.split('/').at(-1),
      });
    }
    expect((await send('DELETE', url)).status).toBe(204);
    expect(await uploadFolders()).toEqual([]);
    expect(await pulled(digest)).toBeUndefined();
  });

  it('is unknown to every call once it is over, and under every other repository', async () => {
    const over = await begin();
    await put(over, digest, content);
    const others = (await begin()).replace('local/app', 'local/other');
    const never = `${app.url}${repository}/blobs/uploads/not-even-an-id`;
    for (const url of [over, others, never]) {
      const calls = [
        await send('GET', url),
        await patch(url, content),
        await put(url, digest, content),
        await send('DELETE', url),
      ];
      for (const { status, code } of calls) {
        expect([status, code]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
      }
    }
  });

  it('of other bytes than its digest is refused and gone', async () => {
    const url = await begin();
    const refused = await put(url, digest, Buffer.from('krill'));
    expect([refused.status, refused.code]).toEqual([400, 'DIGEST_INVALID']);
    expect(await pulled(digest)).toBeUndefined();
    expect((await send('GET', url)).status).toBe(404);
    expect(await uploadFolders()).toEqual([]);
  });

  it.each(['', 'sha256:abc', 'md5:d41d8cd98f00b204e9800998ecf8427e', 'krill'])(
    'stays as it is where it is to be ended with no digest: "%s"',
    async (named) => {
      const url = await begin();
      await patch(url, content);
      const refused = await put(url, named);
      expect([refused.status, refused.code]).toEqual([400, 'DIGEST_INVALID']);
      expect((await put(url, digest)).status).toBe(201);
    },
  );

  it('may be empty', async () => {
    const empty = digestOf(Buffer.alloc(0));
    expect((await put(await begin(), empty)).status).toBe(201);
    expect(await pulled(empty)).toEqual(Buffer.alloc(0));
    const again = await begin();
    await send('PATCH', again, { body: [] });
    expect((await put(again, empty)).status).toBe(201);
  });

  it('may go by sha512, whether that was announced or not', async () => {
    const long = digestOf(content, 'sha512');
    const announced = await begin(`${repository}/blobs/uploads/?digest-algorithm=sha512`);
    await patch(announced, content.subarray(0, 10));
    await patch(announced, content.subarray(10));
    const stored = await put(announced, long);
    expect([stored.status, stored.headers['docker-content-digest']]).toEqual([201, long]);
    const surprising = await begin(`/v2/local/other/blobs/uploads/`);
    expect((await put(surprising, long, content)).status).toBe(201);
    expect(await pulled(long)).toEqual(content);
    expect(await pulled(long, '/v2/local/other')).toEqual(content);
    const unknown = await post(`${repository}/blobs/uploads/?digest-algorithm=md5`);
    expect([unknown.status, unknown.code]).toEqual([400, 'DIGEST_INVALID']);
  });

  it('of a blob that is there already is verified all the same', async () => {
    await put(await begin(), digest, content);
    expect((await put(await begin(), digest, Buffer.from('krill'))).status).toBe(400);
    expect((await put(await begin(), digest, content)).status).toBe(201);
    expect(await pulled(digest)).toEqual(content);
  });

  it('of one blob may be made by many at once', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `/v2/local/app${index % 3}`);
    const answers = await Promise.all(
      names.map(async (name) => put(await begin(`${name}/blobs/uploads/`), digest, content)),
    );
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 201));
    for (const name of new Set(names)) expect(await pulled(digest, name)).toEqual(content);
    expect(await uploadFolders()).toEqual([]);
  });
});

describe('a blob in one POST', () => {
  const path = `${repository}/blobs/uploads/?digest=${digest}`;

  it('is stored at once', async () => {
    const { status, headers } = await post(path, content);
    expect([status, headers.location]).toEqual([201, `${repository}/blobs/${digest}`]);
    expect(await pulled(digest)).toEqual(content);
  });

  it('is refused where its digest is another or none, and nothing is left of it', async () => {
    expect((await post(path, Buffer.from('krill'))).code).toBe('DIGEST_INVALID');
    const malformed = `${repository}/blobs/uploads/?digest=sha256:krill`;
    expect((await post(malformed, content)).code).toBe('DIGEST_INVALID');
    expect(await uploadFolders()).toEqual([]);
    expect(app.hosted.sessions.count).toBe(0);
  });

  it('goes on with a PUT where no body came', async () => {
    const url = await begin(path);
    expect((await put(url, digest, content)).status).toBe(201);
  });
});

describe('a mount', () => {
  const from = (name: string): string =>
    `${repository}/blobs/uploads/?mount=${digest}&from=${name}`;

  it('links a blob of another hosted repository', async () => {
    await put(await begin('/v2/local/base/blobs/uploads/'), digest, content);
    const { status, headers } = await post(from('local/base'));
    expect(status).toBe(201);
    expect(headers).toMatchObject({
      location: `${repository}/blobs/${digest}`,
      'docker-content-digest': digest,
    });
    expect(await pulled(digest)).toEqual(content);
    expect(app.hosted.mounts).toEqual(['hosted']);
  });

  it('links a cached blob that could be served without asking its upstream', async () => {
    app.hub.blobs.set(`library/alpine@${digest}`, content);
    await send('GET', `${app.url}/v2/library/alpine/blobs/${digest}`);
    await waitFor('it to be stored', () => app.store.stat(digest));
    const { key } = app.route('library/alpine');
    await waitFor('it to be on record', () => app.catalog.linked(key, 'blobs', digest));
    const asked = app.hub.calls.length;
    expect((await post(from('library/alpine'))).status).toBe(201);
    expect(app.hub.calls).toHaveLength(asked);
    expect(app.hosted.mounts).toEqual(['cached']);
    // What is hosted does not go with what is cached.
    await app.store.delete(digest);
    expect(await pulled(digest)).toEqual(content);
    const { nlink } = await stat(app.hosted.layout.blob(digest));
    expect(nlink).toBe(1);
  });

  it.each([
    ['that has it not', 'local/other'],
    ['that is cached and has it not', 'library/alpine'],
    ['that cannot be', 'No/Such/Name'],
  ])('from a repository %s becomes an upload', async (_what, name) => {
    await put(await begin('/v2/local/base/blobs/uploads/'), digest, content);
    const url = await begin(from(name));
    expect(await pulled(digest)).toBeUndefined();
    expect((await put(url, digest, content)).status).toBe(201);
  });

  it('finds a source where none is told', async () => {
    await put(await begin('/v2/local/base/blobs/uploads/'), digest, content);
    const anywhere = `${repository}/blobs/uploads/?mount=`;
    expect((await post(`${anywhere}${digest}`)).status).toBe(201);
    expect(await pulled(digest)).toEqual(content);
    expect((await post(`${anywhere}${digestOf(Buffer.from('krill'))}`)).status).toBe(202);
  });

  it('of a manifest’s word alone becomes an upload', async () => {
    await app.store.put(digest, content);
    const member = { digest, mediaType: 'x/y', size: content.length, claimed: true as const };
    await app.catalog.link(app.route('library/alpine').key, 'blobs', [member]);
    expect((await post(from('library/alpine'))).status).toBe(202);
    expect(await pulled(digest)).toBeUndefined();
  });

  it('of a cached blob that has rotted becomes an upload, and harms nobody who has it right', async () => {
    await put(await begin('/v2/local/base/blobs/uploads/'), digest, content);
    await app.store.put(digest, Buffer.alloc(content.length));
    const member = { digest, mediaType: 'x/y', size: content.length };
    await app.catalog.link(app.route('library/alpine').key, 'blobs', [member]);
    expect((await post(from('library/alpine'))).status).toBe(202);
    expect(await readFile(app.hosted.layout.blob(digest))).toEqual(content);
    expect(await readdir(app.hosted.layout.temporary)).toEqual([]);
  });

  it('of what is no digest is refused', async () => {
    const refused = await post(`${repository}/blobs/uploads/?mount=krill&from=local/base`);
    expect([refused.status, refused.code]).toEqual([400, 'DIGEST_INVALID']);
  });
});

describe('a mount that the caller may not see the source of', () => {
  it('is an ordinary upload, whether the blob is there or not', async () => {
    await app.dispose();
    app = await startRegistryApp(
      {},
      {
        guard: {
          ...openGuard,
          permitsSource: (_context, { repository: name }) => name !== 'local/secret',
          visible: (_context, items, repositoryOf) =>
            items.filter((item) => repositoryOf(item) !== 'local/secret'),
        },
      },
    );
    await put(await begin('/v2/local/secret/blobs/uploads/'), digest, content);
    const other = digestOf(Buffer.from('krill'));
    for (const mounted of [digest, other]) {
      const { status } = await post(
        `${repository}/blobs/uploads/?mount=${mounted}&from=local/secret`,
      );
      expect(status).toBe(202);
    }
    expect((await post(`${repository}/blobs/uploads/?mount=${digest}`)).status).toBe(202);
    expect(app.hosted.mounts).toEqual([]);
  });

  it('and who may not push learns nothing', async () => {
    await app.dispose();
    app = await startRegistryApp(
      {},
      {
        guard: {
          ...openGuard,
          admit(_context, _target, action) {
            if (action !== 'pull') throw new RegistryError('DENIED');
          },
        },
      },
    );
    for (const method of ['POST', 'PATCH', 'PUT', 'DELETE', 'GET']) {
      const path = method === 'POST' ? '' : '1f0e6bd7-5ee1-4a9b-8c94-1d6ec6ef8a3c';
      const { status, code } = await send(method, `${app.url}${repository}/blobs/uploads/${path}`);
      expect([method, status, code ?? '']).toEqual([method, 403, 'DENIED']);
    }
  });
});

describe('a push to a name that is proxied', () => {
  it('is refused, with where the name leads', async () => {
    for (const [name, target] of [
      ['library/alpine', 'docker.io/library/alpine'],
      ['ghcr.io/a/b', 'ghcr.io/a/b'],
    ] as const) {
      const { status, code, body } = await post(`/v2/${name}/blobs/uploads/`);
      expect([status, code]).toEqual([405, 'UNSUPPORTED']);
      expect(body.toString()).toContain(target);
      expect(body.toString()).toContain('hosted.repositories');
    }
  });
});

describe('a client that leaves in the middle', () => {
  it('finds what it sent, and goes on', async () => {
    const url = await begin();
    const broken = open('PATCH', url, { 'content-length': content.length });
    broken.on('error', () => undefined);
    broken.write(content.subarray(0, 15));
    await waitFor('the bytes', () => app.hosted.sessions.bytes === 15);
    broken.destroy();
    const { status, headers } = await send('GET', url);
    expect([status, headers.range]).toEqual([204, '0-14']);
    await patch(url, content.subarray(15), `15-${content.length - 1}`);
    expect((await put(url, digest)).status).toBe(201);
    const ended = app.ended.find(
      ({ method, status: given }) => method === 'PATCH' && given === 499,
    );
    expect(ended?.context.received).toBe(15);
  });

  it('and is back before that was noticed ends its own old request', async () => {
    const url = await begin();
    const stale = open('PATCH', url, { 'transfer-encoding': 'chunked' });
    const answer = answerOf(stale);
    stale.write(content.subarray(0, 20));
    await waitFor('the bytes', () => app.hosted.sessions.bytes === 20);
    const { headers } = await send('GET', url);
    expect(headers.range).toBe('0-19');
    stale.end();
    expect(await answer).toMatchObject({ status: 400, code: 'BLOB_UPLOAD_INVALID' });
    await patch(url, content.subarray(20), `20-${content.length - 1}`);
    expect((await put(url, digest)).status).toBe(201);
  });

  it('in the middle of the last part finds its upload open', async () => {
    const url = await begin();
    const broken = open('PUT', `${url}?digest=${digest}`, { 'content-length': content.length });
    broken.on('error', () => undefined);
    broken.write(content.subarray(0, 15));
    await waitFor('the bytes', () => app.hosted.sessions.bytes === 15);
    broken.destroy();
    expect((await send('GET', url)).headers.range).toBe('0-14');
    expect((await put(url, digest, content.subarray(15))).status).toBe(201);
  });

  it('leaves nothing of a blob in one POST', async () => {
    const broken = open('POST', `${app.url}${repository}/blobs/uploads/?digest=${digest}`, {
      'content-length': content.length,
    });
    broken.on('error', () => undefined);
    broken.write(content.subarray(0, 15));
    await waitFor('the bytes', () => app.hosted.sessions.bytes === 15);
    broken.destroy();
    await waitFor('the upload to be gone', () => app.hosted.sessions.count === 0);
    await waitFor('its folder to be gone', async () => (await uploadFolders()).length === 0);
  });
});

describe('what is too much', () => {
  beforeEach(async () => {
    await app.dispose();
    app = await startRegistryApp({}, { maxBlobSize: 30, maxUploads: 2 });
  });

  it('is refused before it comes where it is announced, and as soon as it is noticed where not', async () => {
    const announced = await patch(await begin(), content);
    expect([announced.status, announced.code]).toEqual([413, 'SIZE_LIMIT']);
    const parts = [content.subarray(0, 20), content.subarray(20)];
    const streamed = await send('PATCH', await begin(), { body: parts });
    expect([streamed.status, streamed.code]).toEqual([413, 'SIZE_LIMIT']);
    const posted = await post(`${repository}/blobs/uploads/?digest=${digest}`, content);
    expect(posted.status).toBe(413);
    expect(await uploadFolders()).toEqual([]);
    expect(app.hosted.results).toEqual(['size', 'size', 'size']);
  });

  it('is one upload more than may be open', async () => {
    const url = await begin();
    await begin();
    const refused = await post();
    expect([refused.status, refused.code]).toEqual([429, 'TOOMANYREQUESTS']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    await send('DELETE', url);
    await begin();
  });
});
