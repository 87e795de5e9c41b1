import { beforeEach, describe, expect, it } from '@jest/globals';
import nock from 'nock';
import { digestOf } from '../../src/oci/digest.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { parseRepositoryName } from '../../src/oci/repository-name.ts';
import { StaticCredentials } from '../../src/upstream/credentials.ts';
import { RegistryClient } from '../../src/upstream/registry-client.ts';
import { testResources } from '../support/resources.ts';
import { useNock } from './nock-suite.ts';
import { RecordingObserver } from './recording-observer.ts';

const repository = parseRepositoryName('library/reef');
const tag = '1' as Tag;
const registry = 'https://reef.test';
const path = '/v2/library/reef/manifests/1';
const digest = digestOf(Buffer.from('krill'));
const blobPath = `/v2/library/reef/blobs/${digest}`;
const { signal } = new AbortController();
const nobody = { badheaders: ['authorization'] };
const authorization = `Basic ${Buffer.from('whale:krill').toString('base64')}`;

/** The registry answers only who carries the credential. */
const reef = (): nock.Scope => nock(registry, { reqheaders: { authorization } });

describe('redirects upstream', () => {
  const resources = testResources();
  useNock();
  let observer: RecordingObserver;
  let client: RegistryClient;
  const pull = async (): Promise<string> =>
    (await client.fetchManifest(repository, tag, signal)).bytes.toString();

  beforeEach(() => {
    observer = new RecordingObserver();
    client = new RegistryClient({
      name: 'reef',
      urls: [registry],
      observer,
      env: {},
      preemptive: true,
      credentials: new StaticCredentials('whale', 'krill'),
    });
    resources.defer(() => client.close());
  });

  it.each([301, 302, 303, 307, 308])('are followed with status %i', async (status) => {
    reef().get(path).reply(status, '', { location: 'elsewhere?x=1' });
    reef().get('/v2/library/reef/manifests/elsewhere').query({ x: '1' }).reply(200, 'found');
    expect(await pull()).toBe('found');
  });

  it.each([
    ['another host', 'https://cdn.test/x'],
    ['another port', 'https://reef.test:8443/x'],
    ['a host below ours', 'https://cdn.reef.test/x'],
  ])('to %s carry no credential', async (_what, location) => {
    reef().get(path).reply(307, '', { location });
    const { origin } = new URL(location);
    nock(origin, nobody).get('/x').reply(200, 'found');
    expect(await pull()).toBe('found');
  });

  it('carry no credential either when they come back', async () => {
    reef().get(path).reply(307, '', { location: 'https://cdn.test/x' });
    nock('https://cdn.test', nobody)
      .get('/x')
      .reply(307, '', { location: `${registry}/y` });
    nock(registry, nobody).get('/y').reply(200, 'found');
    expect(await pull()).toBe('found');
  });

  it('of manifests and of HEAD are followed as those of blobs', async () => {
    const headers = { 'content-type': 'application/vnd.oci.image.index.v1+json' };
    reef()
      .head(path)
      .reply(307, '', { location: `https://cdn.test${path}` });
    nock('https://cdn.test', nobody).head(path).reply(200, '', headers);
    const resolved = await client.resolve(repository, tag, signal);
    expect(resolved.mediaType).toBe('application/vnd.oci.image.index.v1+json');
  });

  it('end after five', async () => {
    reef().get(path).reply(307, '', { location: '/1' });
    for (const hop of [1, 2, 3, 4]) {
      reef()
        .get(`/${hop}`)
        .reply(307, '', { location: `/${hop + 1}` });
    }
    reef().get('/5').reply(200, 'found');
    expect(await pull()).toBe('found');
    reef().get(path).reply(307, '', { location: '/1' });
    for (const hop of [1, 2, 3, 4, 5]) {
      reef()
        .get(`/${hop}`)
        .reply(307, '', { location: `/${hop + 1}` });
    }
    await expect(pull()).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' });
  });

  it('in a circle end at once', async () => {
    reef().get(path).reply(307, '', { location: '/x' });
    reef().get('/x').reply(307, '', { location: path });
    await expect(pull()).rejects.toThrow('circle');
  });

  it('from https to http are refused', async () => {
    reef().get(path).reply(307, '', { location: 'http://reef.test/x' });
    await expect(pull()).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' });
  });

  it('do not give signed URLs away when they fail', async () => {
    reef().get(blobPath).times(2).reply(307, '', { location: 'https://cdn.test/b?sig=secret' });
    const body = '<Error>https://cdn.test/b?sig=secret</Error>';
    nock('https://cdn.test', nobody).get('/b').query(true).times(2).reply(403, body);
    const error = await client
      .fetchBlob(repository, digest, undefined, signal)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'UPSTREAM_DENIED', upstreamStatus: 403 });
    expect(`${(error as Error).message} ${JSON.stringify(error)}`).not.toContain('secret');
  });

  it('to a signed URL that has expired are asked for once more', async () => {
    reef().get(blobPath).reply(307, '', { location: 'https://cdn.test/b?sig=1' });
    reef().get(blobPath).reply(307, '', { location: 'https://cdn.test/b?sig=2' });
    nock('https://cdn.test', nobody).get('/b').query({ sig: '1' }).reply(403);
    nock('https://cdn.test', nobody).get('/b').query({ sig: '2' }).reply(200, 'krill');
    const { body } = await client.fetchBlob(repository, digest, undefined, signal);
    expect(await body.toArray()).toEqual([Buffer.from('krill')]);
  });

  it('keep the range on their way', async () => {
    const wanted = { reqheaders: { range: 'bytes=2-', 'if-range': '"e"' } };
    reef().get(blobPath).reply(307, '', { location: 'https://cdn.test/b' });
    nock('https://cdn.test', { ...wanted, ...nobody })
      .get('/b')
      .reply(206, 'ill', { 'content-range': 'bytes 2-4/5' });
    const fetched = await client.fetchBlob(repository, digest, { offset: 2, etag: '"e"' }, signal);
    expect([fetched.offset, fetched.size]).toEqual([2, 5]);
    expect(await fetched.body.toArray()).toEqual([Buffer.from('ill')]);
  });

  it('are observed hop by hop', async () => {
    reef().get(path).reply(307, '', { location: 'https://cdn.test/x' });
    nock('https://cdn.test').get('/x').reply(200, 'found');
    await pull();
    expect(observer.requests).toMatchObject([
      { upstream: 'reef', host: 'reef.test', kind: 'manifest', method: 'GET', status: 307 },
      { upstream: 'reef', host: 'cdn.test', kind: 'manifest', method: 'GET', status: 200 },
    ]);
  });
});

describe('a limited registry', () => {
  const resources = testResources();
  useNock();
  const open = (urls: string[], observer = new RecordingObserver()): RegistryClient => {
    const client = new RegistryClient({ name: 'reef', urls, observer, env: {} });
    resources.defer(() => client.close());
    return client;
  };

  it.each([
    ['60', 60],
    [new Date(Date.now() + 90_000).toUTCString(), expect.closeTo(90, -1)],
    ['rubbish', undefined],
  ])('says when to come back: Retry-After %s', async (header, retryAfter: unknown) => {
    nock(registry)
      .get(path)
      .reply(429, 'Too many requests, please slow down', { 'retry-after': header });
    const error = await open([registry])
      .fetchManifest(repository, tag, signal)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'TOOMANYREQUESTS', status: 429, upstreamStatus: 429 });
    expect(error).toHaveProperty('retryAfter', retryAfter);
    expect((error as Error).message).toContain('please slow down');
  });

  it('tells its quota with every answer', async () => {
    const observer = new RecordingObserver();
    const headers = {
      'ratelimit-limit': '100;w=21600',
      'ratelimit-remaining': '0;w=21600',
      'docker-ratelimit-source': '192.0.2.1',
    };
    nock(registry).head(path).reply(429, '', headers);
    const client = open([registry], observer);
    await expect(client.resolve(repository, tag, signal)).rejects.toMatchObject({ status: 429 });
    expect(client.status().urls[0]?.credentials).toMatchObject([
      { credential: 'anonymous', limit: 100, remaining: 0, window: 21_600, source: '192.0.2.1' },
    ]);
    expect(observer.thrifts).toMatchObject([{ upstream: 'reef', stretch: Infinity, remaining: 0 }]);
  });

  it('is left for the next URL', async () => {
    nock(registry).get(path).reply(429);
    nock('https://mirror.test').get(path).reply(200, 'found');
    const { bytes } = await open([registry, 'https://mirror.test']).fetchManifest(
      ...([repository, tag, signal] as const),
    );
    expect(bytes.toString()).toBe('found');
  });

  it.each([
    [500, 'UPSTREAM_UNAVAILABLE'],
    [503, 'UPSTREAM_UNAVAILABLE'],
    [504, 'UPSTREAM_TIMEOUT'],
    [400, 'UPSTREAM_INVALID'],
    [403, 'UPSTREAM_DENIED'],
    [404, 'MANIFEST_UNKNOWN'],
    [304, 'UPSTREAM_INVALID'],
    [204, 'UPSTREAM_INVALID'],
  ])('fails with %i as %s', async (status, code) => {
    nock(registry).get(path).reply(status);
    await expect(open([registry]).fetchManifest(repository, tag, signal)).rejects.toMatchObject({
      code,
      upstreamStatus: status,
    });
  });

  it('is quoted without control characters, and not at length', async () => {
    const message = `no\u001b[31m ${'x'.repeat(5000)}`;
    nock(registry)
      .get(path)
      .reply(403, { errors: [{ code: 'DENIED', message }] });
    const error = (await open([registry])
      .fetchManifest(repository, tag, signal)
      .catch((caught: unknown) => caught)) as Error;
    expect(error.message).toContain(': no [31m xxx');
    expect(error.message.length).toBeLessThan(450);
    // eslint-disable-next-line no-control-regex
    expect(error.message).not.toMatch(/[\u0000-\u001f]/);
  });
});
