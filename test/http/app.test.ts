import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect, Socket, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { rememberArrival } from '../../src/http/request-facts.ts';
import { startRegistryApp, type RegistryApp } from '../support/registry-app.ts';
import { waitFor } from '../support/wait-for.ts';

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  json(): unknown;
}

const content = randomBytes(3_000_000);
const name = 'team/app';
let app: RegistryApp;
let digest: Digest;

beforeEach(async () => {
  app = await startRegistryApp();
  digest = app.hub.addBlob(name, content);
});
afterEach(() => app.dispose());

async function ask(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const sent = httpRequest(app.url + path, { method, headers });
  sent.end();
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of response as AsyncIterable<Buffer>) parts.push(part);
  const body = Buffer.concat(parts);
  const json = (): unknown => JSON.parse(body.toString());
  return { status: response.statusCode!, headers: response.headers, body, json } satisfies Answer;
}

const codeOf = (answer: Answer): string =>
  (answer.json() as { errors: { code: string }[] }).errors[0]!.code;

describe('GET /v2/', () => {
  it.each(['/v2/', '/v2', '/ghcr.io/v2/'])('says that %s is a registry', async (path) => {
    const answer = await ask(path);
    expect(answer.status).toBe(200);
    expect(answer.headers['docker-distribution-api-version']).toBe('registry/2.0');
    expect(answer.json()).toEqual({});
  });
});

describe('a blob', () => {
  const path = (): string => `/v2/${name}/blobs/${digest}`;

  it('is not opened for a client that has left before its turn, and that is told of once', async () => {
    const client = new Socket();
    const server = createServer((request, response) => {
      rememberArrival(request);
      response.once('close', () => setTimeout(() => app.listener(request, response), 20));
      client.destroy();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    client.connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.write(`GET ${path()} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await waitFor('the report', () => app.ended.length > 0);
    server.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(app.ended).toMatchObject([{ status: 499, path: path(), remote: '127.0.0.1' }]);
    expect(app.ended[0]!.durationMs).toBeGreaterThanOrEqual(19);
    expect(app.hub.calls).toEqual([]);
  });

  it('comes whole, cold and warm, with the headers that clients need', async () => {
    for (const status of ['baleen; fwd=miss; stored', 'baleen; hit']) {
      const { headers, body, ...answer } = await ask(path());
      expect(answer.status).toBe(200);
      expect(body.equals(content)).toBe(true);
      expect(headers).toMatchObject({
        'content-length': String(content.length),
        'docker-content-digest': digest,
        etag: `"${digest}"`,
        'accept-ranges': 'bytes',
        'cache-status': status,
      });
      expect(headers['content-encoding']).toBeUndefined();
      await app.downloads.running(digest)?.ended;
    }
    expect(app.ended.map(({ context }) => context.bytes)).toEqual([content.length, content.length]);
  });

  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=500-1499', 500, 1500],
    ['bytes=2999000-', 2_999_000, 3_000_000],
    ['bytes=-500', 2_999_500, 3_000_000],
    ['bytes=2999999-9999999', 2_999_999, 3_000_000],
  ])('comes in part for %s, cold and warm', async (range, start, end) => {
    for (let times = 0; times < 2; times++) {
      const answer = await ask(path(), { range });
      expect(answer.status).toBe(206);
      expect(answer.headers['content-range']).toBe(`bytes ${start}-${end - 1}/${content.length}`);
      expect(answer.body.equals(content.subarray(start, end))).toBe(true);
      await app.downloads.running(digest)?.ended;
    }
    expect(app.hub.count('fetchBlob')).toBe(1);
  });

  it('comes in several parts as multipart/byteranges of the exact length', async () => {
    const answer = await ask(path(), { range: 'bytes=10-19,2000000-2999998' });
    expect(answer.status).toBe(206);
    const type = answer.headers['content-type']!;
    const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(type)![1]!;
    expect(answer.body.length).toBe(Number(answer.headers['content-length']));
    const head = (range: string) =>
      `\r\n--${boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ${range}/3000000\r\n\r\n`;
    const expected = Buffer.concat([
      Buffer.from(head('10-19')),
      content.subarray(10, 20),
      Buffer.from(head('2000000-2999998')),
      content.subarray(2_000_000, 2_999_999),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    expect(answer.body.equals(expected)).toBe(true);
  });

  it('is 416 for a range behind its end, and then still there', async () => {
    const answer = await ask(path(), { range: 'bytes=3000000-' });
    expect(answer.status).toBe(416);
    expect(answer.headers['content-range']).toBe('bytes */3000000');
    expect((await ask(path())).status).toBe(200);
  });

  it('ignores a range for another version, and honours one for its own', async () => {
    const range = 'bytes=1-2';
    expect((await ask(path(), { range, 'if-range': '"other"' })).status).toBe(200);
    expect((await ask(path(), { range, 'if-range': `"${digest}"` })).status).toBe(206);
  });

  it('is not sent to a client that has it', async () => {
    for (const known of [`"${digest}"`, `W/"${digest}"`, `"other", "${digest}"`, '*']) {
      const answer = await ask(path(), { 'if-none-match': known });
      expect(answer.status).toBe(304);
      expect(answer.body).toHaveLength(0);
    }
  });

  it('has the same headers for HEAD, and no body', async () => {
    for (const status of ['baleen; fwd=miss', 'baleen; hit']) {
      const answer = await ask(path(), {}, 'HEAD');
      expect(answer.status).toBe(200);
      expect(answer.headers['content-length']).toBe(String(content.length));
      expect(answer.headers['cache-status']).toBe(status);
      await ask(path());
      await app.downloads.running(digest)?.ended;
    }
  });

  it('breaks the connection where its end turns out to be wrong, and says so in the log', async () => {
    const wrong = Buffer.from(content);
    wrong[wrong.length - 1]! ^= 1;
    app.hub.plays.push({ bytes: wrong });
    await expect(ask(path())).rejects.toThrow(/aborted|ECONNRESET|hang up/);
    expect(app.failed).toEqual([expect.objectContaining({ code: 'UPSTREAM_INVALID' })]);
    expect(app.ended[0]!.context).toMatchObject({ complete: false });
    expect((await ask(path())).body.equals(content)).toBe(true);
  });

  it('is sent in full to a client that reads slowly', async () => {
    const { port } = app.server;
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${path()} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    socket.pause();
    await app.downloads.running(digest)?.ended;
    await new Promise((resolve) => setTimeout(resolve, 300));
    let received = Buffer.alloc(0);
    for await (const part of socket as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, part]);
    }
    expect(received.subarray(-content.length).equals(content)).toBe(true);
  });

  it('answers pipelined requests in their order', async () => {
    const socket = connect(app.server.port, '127.0.0.1');
    const small = app.hub.addBlob(name, Buffer.from('second'));
    socket.write(`GET ${path()} HTTP/1.1\r\nHost: x\r\n\r\n`);
    socket.write(`GET /v2/${name}/blobs/${small} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    const parts: Buffer[] = [];
    for await (const part of socket as AsyncIterable<Buffer>) parts.push(part);
    const all = Buffer.concat(parts);
    const start = all.indexOf('\r\n\r\n') + 4;
    expect(all.subarray(start, start + content.length).equals(content)).toBe(true);
    expect(all.subarray(start + content.length, start + content.length + 15).toString()).toBe(
      'HTTP/1.1 200 OK',
    );
    expect(all.subarray(-6).toString()).toBe('second');
  });
});

describe('a manifest', () => {
  it('comes as it is, with its own type and nothing appended', async () => {
    const config = { mediaType: 'application/json', digest, size: 1 };
    const manifest = app.hub.addManifest(name, 'latest', {
      mediaType: mediaTypes.dockerManifest,
      config,
      layers: [],
    });
    const get = await ask(`/v2/${name}/manifests/latest`, { range: 'bytes=0-' });
    expect(get.status).toBe(200);
    expect(get.body.equals(manifest.bytes)).toBe(true);
    expect(get.headers).toMatchObject({
      'content-type': mediaTypes.dockerManifest,
      'docker-content-digest': manifest.digest,
      'cache-status': 'baleen; fwd=miss; stored; ttl=60',
    });
    const head = await ask(`/v2/${name}/manifests/${manifest.digest}`, {}, 'HEAD');
    expect(head.headers['content-length']).toBe(String(manifest.bytes.length));
    expect(head.headers['cache-status']).toBe('baleen; hit');
    const known = { 'if-none-match': `"${manifest.digest}"` };
    expect((await ask(`/v2/${name}/manifests/latest`, known)).status).toBe(304);
  });
});

describe('routing', () => {
  beforeEach(() => {
    const index = { mediaType: mediaTypes.ociIndex, manifests: [] };
    app.other.addManifest(name, 'latest', index);
  });

  it.each([
    `/v2/ghcr.io/${name}/manifests/latest`,
    `/ghcr.io/v2/${name}/manifests/latest`,
    `/v2/${name}/manifests/latest?ns=ghcr.io`,
    `/v2/team%2Fapp/manifests/latest?ns=ghcr.io`,
  ])('finds the other registry by %s', async (path) => {
    const answer = await ask(path);
    expect(answer.status).toBe(200);
    expect(answer.headers['oci-namespace']).toBe(path.includes('ns=') ? 'ghcr.io' : undefined);
    expect(app.hub.calls).toEqual([]);
  });

  it('knows no other registry', async () => {
    const answer = await ask(`/v2/${name}/manifests/latest?ns=evil.example`);
    expect(answer.status).toBe(404);
    expect(codeOf(answer)).toBe('NAME_UNKNOWN');
  });
});

describe('a tag list', () => {
  it('is sorted, paginated and points at us', async () => {
    app.hub.tags.set(name, ['b', 'a', 'C', 'a', 'not a tag', 'd']);
    const first = await ask(`/ghcr.io/v2/x/tags/list`);
    expect(codeOf(first)).toBe('NAME_UNKNOWN');
    const page = await ask(`/v2/${name}/tags/list?n=2&ns=docker.io`);
    expect(page.json()).toEqual({ name, tags: ['C', 'a'] });
    expect(page.headers.link).toBe(`</v2/${name}/tags/list?n=2&ns=docker.io&last=a>; rel="next"`);
    const next = await ask(/<(.*)>/.exec(String(page.headers.link))![1]!);
    expect(next.json()).toEqual({ name, tags: ['b', 'd'] });
    expect(next.headers.link).toBeUndefined();
    expect((await ask(`/v2/${name}/tags/list?n=0`)).json()).toEqual({ name, tags: [] });
    expect((await ask(`/v2/${name}/tags/list?n=x`)).status).toBe(400);
    expect(app.hub.count('listTags')).toBe(1);
  });

  it('holds what was pulled while the upstream is down', async () => {
    app.hub.addManifest(name, 'v1', { mediaType: mediaTypes.ociIndex, manifests: [] });
    await ask(`/v2/${name}/manifests/v1`);
    app.hub.failure = new RegistryError('UPSTREAM_UNAVAILABLE');
    const answer = await ask(`/v2/${name}/tags/list`);
    expect(answer.json()).toEqual({ name, tags: ['v1'] });
    expect(answer.headers['cache-status']).toContain('fwd=stale');
  });
});

describe('referrers', () => {
  const subject = digestOf(Buffer.from('subject'));
  const signature = {
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(Buffer.from('signature')),
    size: 9,
    artifactType: 'application/vnd.example.signature',
  };
  const sbom = { ...signature, digest: digestOf(Buffer.from('s')), artifactType: 'text/sbom' };
  const path = `/v2/${name}/referrers/${subject}`;

  it('come from the upstream, and are filtered here', async () => {
    app.hub.referrers = [signature, sbom];
    const all = await ask(path);
    expect(all.headers['content-type']).toBe(mediaTypes.ociIndex);
    expect(all.headers['oci-filters-applied']).toBeUndefined();
    expect(all.json()).toMatchObject({ schemaVersion: 2, manifests: [signature, sbom] });
    const some = await ask(`${path}?artifactType=text%2Fsbom`);
    expect(some.headers['oci-filters-applied']).toBe('artifactType');
    expect(some.json()).toMatchObject({ manifests: [sbom] });
    expect(app.hub.calls).toHaveLength(1);
  });

  it('come from the tag that stands in for the API, and are none where there is no such tag', async () => {
    expect((await ask(path)).json()).toMatchObject({ manifests: [] });
    await app.catalog.putListing(app.route(name).key, `referrers-${subject.replace(':', '-')}`, {
      value: [],
      fetchedAt: 0,
    });
    await app.catalog.putAbsent(app.route(name).key, `manifests/${subject.replace(':', '-')}`, 0);
    const tag = subject.replace(':', '-');
    app.hub.addManifest(name, tag, { mediaType: mediaTypes.ociIndex, manifests: [sbom] });
    expect((await ask(path)).json()).toMatchObject({ manifests: [sbom] });
    app.hub.failure = new RegistryError('UPSTREAM_UNAVAILABLE');
    expect((await ask(path)).json()).toMatchObject({ manifests: [sbom] });
  });

  it('need a digest', async () => {
    expect(codeOf(await ask(`/v2/${name}/referrers/latest`))).toBe('DIGEST_INVALID');
  });
});

it('lists what is cached, as a client would ask for it', async () => {
  const index = { mediaType: mediaTypes.ociIndex, manifests: [] };
  app.hub.addManifest('library/alpine', 'latest', index);
  app.other.addManifest(name, 'latest', index);
  await ask('/v2/alpine/manifests/latest');
  await ask(`/v2/ghcr.io/${name}/manifests/latest`);
  const repositories = ['ghcr.io/team/app', 'library/alpine'];
  expect((await ask('/v2/_catalog')).json()).toEqual({ repositories });
  expect((await ask('/v2/_catalog?ns=ghcr.io')).json()).toEqual({ repositories: [name] });
  const page = await ask('/v2/_catalog?n=1');
  expect(page.headers.link).toBe('</v2/_catalog?n=1&last=ghcr.io%2Fteam%2Fapp>; rel="next"');
});

describe('an error', () => {
  it.each([
    ['/v2/UPPER/manifests/latest', 400, 'NAME_INVALID'],
    ['/v2/a/../b/manifests/latest', 400, 'NAME_INVALID'],
    ['/v2/a/%2e%2e/b/manifests/latest', 400, 'NAME_INVALID'],
    ['/v2/..%2f..%2fetc/manifests/latest', 400, 'NAME_INVALID'],
    ['/v2/a%00b/manifests/latest', 400, 'NAME_INVALID'],
    ['/v2/a//b/manifests/latest', 400, 'NAME_INVALID'],
    [`/v2/${'a'.repeat(256)}/manifests/latest`, 400, 'NAME_INVALID'],
    ['/v2/a%zz/manifests/latest', 400, 'NAME_INVALID'],
    // The Kelvin sign, whose small form is a k: it fits into no header of an answer.
    ['/v2/a/manifests/latest?ns=doc%E2%84%AAer.io', 404, 'NAME_UNKNOWN'],
    ['/v2/a/manifests/.bad', 400, 'TAG_INVALID'],
    ['/v2/a/manifests/sha256:bad', 400, 'DIGEST_INVALID'],
    ['/v2/a/blobs/latest', 400, 'DIGEST_INVALID'],
    ['/v2/a/nothing', 404, 'NAME_UNKNOWN'],
    ['/v2/manifests/manifests/latest', 404, 'MANIFEST_UNKNOWN'],
    ['/v2/blobs/manifests/latest', 404, 'MANIFEST_UNKNOWN'],
  ])('%s is %i %s', async (path, status, code) => {
    // Node's own URL parsing would tidy the path up, so it is written as it is.
    const sent = httpRequest({ host: '127.0.0.1', port: app.server.port, path });
    sent.end();
    const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
    const parts: Buffer[] = [];
    for await (const part of response as AsyncIterable<Buffer>) parts.push(part);
    const { errors } = JSON.parse(Buffer.concat(parts).toString()) as {
      errors: { code: string }[];
    };
    expect([response.statusCode, errors[0]!.code]).toEqual([status, code]);
    expect(response.headers['cache-status']).toContain(`detail=${code}`);
    expect(response.headers['x-request-id']).toBeDefined();
  });

  it('says when to come back, and how the upstream put it', async () => {
    const options = { retryAfter: 12.3, upstreamStatus: 429 };
    app.hub.failure = new RegistryError('TOOMANYREQUESTS', undefined, options);
    const answer = await ask(`/v2/${name}/manifests/latest`);
    expect(answer.status).toBe(429);
    expect(answer.headers['retry-after']).toBe('13');
    expect(answer.headers['cache-status']).toContain('fwd-status=429');
  });

  it('is a 405 for whoever pushes', async () => {
    const answer = await ask(`/v2/${name}/blobs/uploads/`, {}, 'POST');
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe('GET, HEAD');
    expect(codeOf(answer)).toBe('UNSUPPORTED');
  });

  it('has no body for HEAD', async () => {
    const answer = await ask(`/v2/${name}/manifests/nope`, {}, 'HEAD');
    expect(answer.status).toBe(404);
    expect(answer.body).toHaveLength(0);
  });
});

describe('a connection', () => {
  const talk = async (text: string): Promise<string> => {
    const socket = connect(app.server.port, '127.0.0.1');
    socket.write(text);
    const parts: Buffer[] = [];
    for await (const part of socket as AsyncIterable<Buffer>) parts.push(part);
    return Buffer.concat(parts).toString();
  };

  it('with too large a head gets a 431', async () => {
    const answer = await talk(
      `GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Big: ${'a'.repeat(10_000)}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 431 [\s\S]*"REQUEST_INVALID"/);
  });

  it('whose head never ends gets a 408', async () => {
    expect(await talk('GET /v2/ HTTP/1.1\r\nHost:')).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('that speaks no HTTP gets a 400', async () => {
    expect(await talk('hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('keeps the id that it brings, where that is sane', async () => {
    const given = await ask('/v2/', { 'x-request-id': 'abc-123' });
    expect(given.headers['x-request-id']).toBe('abc-123');
    const forged = await ask('/v2/', { 'x-request-id': 'a b' });
    expect(forged.headers['x-request-id']).not.toBe('a b');
  });
});
