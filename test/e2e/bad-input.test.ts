import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { get } from '../support/http-get.ts';
import { seededImage } from '../support/images.ts';
import {
  openSocket,
  rawGet,
  rawRequest,
  readAnswer,
  type RawAnswer,
} from '../support/raw-request.ts';
import { suiteResources } from '../support/resources.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';

jest.setTimeout(60_000);

/** The codes of an answer in the form of the specification, "Error Codes"; throws where it is in no such form. */
function errorCodes({ body }: RawAnswer): string[] {
  const { errors } = JSON.parse(body) as { errors: { code: string; message: string }[] };
  return errors.map(({ code, message }) => (message.length > 0 ? code : 'no message'));
}

describe('requests that no client should send', () => {
  const resources = suiteResources();
  const image = seededImage([1000], 11);
  const digest = `sha256:${'0'.repeat(64)}`;
  let upstream: ScriptedUpstream;
  let baleen: Baleen;

  beforeAll(async () => {
    upstream = resources.use(await ScriptedUpstream.start());
    for (const name of ['library/x', 'blobs/manifests', 'x/blobs', 'x/manifests/tags']) {
      upstream.add(name, 'latest', image);
    }
    baleen = resources.use(
      await Baleen.start({
        ...dockerHubScripted(upstream),
        server: { headers_timeout: '1s', max_header_size: '16KiB' },
      }),
    );
  });

  it.each([
    ['dot-dot', '/v2/../../../etc/passwd/manifests/latest'],
    ['dot-dot within the name', '/v2/a/../../b/manifests/latest'],
    ['encoded dot-dot', '/v2/%2e%2e/%2e%2e/etc/manifests/latest'],
    ['encoded slashes', '/v2/a%2f..%2f..%2fb/manifests/latest'],
    ['doubly encoded slashes', '/v2/a%252f..%252fb/manifests/latest'],
    ['backslashes', '/v2/a\\..\\b/manifests/latest'],
    ['NUL', '/v2/a%00b/manifests/latest'],
    ['empty components', '/v2/a//b/manifests/latest'],
    ['upper case', '/v2/Whale/manifests/latest'],
    ['300 characters', `/v2/${'a'.repeat(300)}/manifests/latest`],
    ['a leading underscore', '/v2/_hosted/x/manifests/latest'],
    ['malformed escapes', '/v2/a%zz/manifests/latest'],
    ['invalid UTF-8', '/v2/a%ff%fe/manifests/latest'],
    ['a name that is no upstream by path', '/v2/docker.io/../../x/manifests/latest'],
  ])('are answered with a clean error: %s in the name', async (_, path) => {
    upstream.forget();
    const answer = await rawGet(baleen.port, path);
    expect([400, 404]).toContain(answer.status);
    expect(answer.head).toMatch(/content-type: application\/json/i);
    expect(errorCodes(answer)).toHaveLength(1);
    expect(upstream.total).toBe(0);
  });

  it.each([
    [`/v2/x/blobs/sha256:zz`, 400, 'DIGEST_INVALID'],
    [`/v2/x/blobs/md5:${'0'.repeat(32)}`, 400, 'DIGEST_INVALID'],
    [`/v2/x/blobs/${digest.toUpperCase()}`, 400, 'DIGEST_INVALID'],
    [`/v2/x/manifests/sha256:short`, 400, 'DIGEST_INVALID'],
    [`/v2/x/manifests/.hidden`, 400, 'TAG_INVALID'],

    [`/v2/x/tags/list?n=many`, 400, 'PAGINATION_NUMBER_INVALID'],
    [`/v2/x/tags/list?n=-1`, 400, 'PAGINATION_NUMBER_INVALID'],
    [`/v2/x/referrers/sha256:zz`, 400, 'DIGEST_INVALID'],
    [`/v2/x/manifests/latest?ns=evil.example`, 404, 'NAME_UNKNOWN'],
    [`/v2/x/manifests/latest?ns=../../etc`, 404, 'NAME_UNKNOWN'],
  ])('are answered by their code: %s', async (path, status, code) => {
    const answer = await rawGet(baleen.port, path);
    expect([answer.status, errorCodes(answer)]).toEqual([status, [code]]);
  });

  it.each(['blobs/manifests', 'x/blobs', 'x/manifests/tags'])(
    'do not include the repository named %s',
    async (name) => {
      const manifest = await get(`${baleen.url}/v2/${name}/manifests/latest`);
      expect([manifest.status, manifest.digest]).toEqual([200, image.manifest.digest]);
      const layer = image.blobs.at(-1)?.digest ?? '';
      expect((await get(`${baleen.url}/v2/${name}/blobs/${layer}`)).digest).toBe(layer);
    },
  );

  it.each([
    ['no numbers', 'bytes=a-b'],
    ['an end before its start', 'bytes=5-1'],
    ['another unit', 'lines=0-1'],
    ['five hundred parts', `bytes=${'0-0,'.repeat(500)}1-1`],
    ['the last zero bytes', 'bytes=-0'],
  ])('get no wrong part for a range of %s', async (_, range) => {
    const layer = image.blobs.at(-1)?.digest ?? '';
    const answer = await get(`${baleen.url}/v2/library/x/blobs/${layer}`, { range });
    expect([200, 206, 416]).toContain(answer.status);
    if (answer.status === 200) expect(answer.digest).toBe(layer);
  });

  it('are refused with 431 when their headers are huge', async () => {
    const answer = await rawGet(baleen.port, '/v2/', [`X-Huge: ${'x'.repeat(64 * 1024)}`]);
    expect(answer.status).toBe(431);
  });

  it('are refused with 400 when they are not HTTP', async () => {
    expect((await rawRequest(baleen.port, 'SSH-2.0-whale\r\n\r\n')).status).toBe(400);
  });

  it.each(['PUT', 'POST', 'PATCH', 'DELETE'])('are refused in OCI form: %s', async (method) => {
    const path = method === 'POST' ? '/v2/x/blobs/uploads/' : '/v2/x/manifests/latest';
    const answer = await rawRequest(
      baleen.port,
      `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    );
    expect([405, errorCodes(answer)]).toEqual([answer.status, ['UNSUPPORTED']]);
  });

  it('are cut off when their headers trickle in for ever', async () => {
    const socket = openSocket(baleen.port);
    await once(socket, 'connect');
    socket.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n');
    const trickle = setInterval(() => socket.write('X: x\r\n'), 100);
    const answer = await readAnswer(socket);
    clearInterval(trickle);
    expect([0, 408]).toContain(answer.status);
  });

  it('leave nothing outside the layout of the data directory', async () => {
    expect(await readdir(baleen.dataDirectory)).toEqual(['v1']);
    const root = join(baleen.dataDirectory, 'v1/repositories');
    expect(await readdir(root)).toEqual(['docker.io']);
  });

  it('leave the process running and well', async () => {
    expect(baleen.process.exit).toBeUndefined();
    expect((await get(`${baleen.url}/v2/`)).status).toBe(200);
  });
});
