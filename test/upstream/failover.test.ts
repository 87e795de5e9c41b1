import { describe, expect, it } from '@jest/globals';
import { RegistryError } from '../../src/oci/errors.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { StaticCredentials, type CredentialSource } from '../../src/upstream/credentials.ts';
import { RegistryClient } from '../../src/upstream/registry-client.ts';
import { repository } from '../contract/upstream.ts';
import { testResources } from '../support/resources.ts';
import { LoopbackServer } from '../support/scripted/loopback-server.ts';
import { RecordingObserver } from './recording-observer.ts';

/** What the registry says to one user. */
interface Reply {
  status: number;
  headers?: Record<string, string>;
}

const tag = 'v1' as Tag;
const { signal } = new AbortController();

const helperFails: CredentialSource = {
  get: () => Promise.reject(new RegistryError('UPSTREAM_DENIED', 'the credential helper failed')),
  forget() {},
};

describe('an upstream with several credentials', () => {
  const resources = testResources();
  let replies: Record<string, Reply>;
  let server: LoopbackServer;
  let observer: RecordingObserver;

  const open = async (
    users: readonly (string | CredentialSource)[],
    others: readonly string[] = [],
  ): Promise<RegistryClient> => {
    replies = {};
    server = resources.use(
      new LoopbackServer((seen, answer) => {
        const { status, headers } = replies[userOf(seen.headers.authorization)] ?? { status: 200 };
        answer.writeHead(status, { 'content-type': 'application/json', ...headers }).end();
      }),
    );
    await server.start();
    observer = new RecordingObserver();
    const client = new RegistryClient({
      name: 'reef',
      urls: [server.origin, ...others],
      observer,
      env: {},
      preemptive: true,
      timeouts: { connect: 500, headers: 500 },
      credentials: users.map((user, index) =>
        typeof user === 'string'
          ? { label: user, source: new StaticCredentials(user, `secret-of-${user}`) }
          : { label: `credential-${index + 1}`, source: user },
      ),
    });
    resources.defer(() => client.close());
    return client;
  };
  const asked = (): string[] => server.requests.map(({ headers }) => userOf(headers.authorization));
  const left = (remaining: number): Reply => ({
    status: 200,
    headers: { 'ratelimit-limit': '100;w=3600', 'ratelimit-remaining': `${remaining};w=3600` },
  });

  it('is asked with the next one within the same request where one gets a 429', async () => {
    const client = await open(['a', 'b', 'c']);
    replies['a'] = { status: 429, headers: { 'retry-after': '600' } };
    replies['b'] = { status: 429, headers: { 'retry-after': '60' } };
    await client.resolve(repository, tag, signal);
    await client.resolve(repository, tag, signal);
    expect(asked()).toEqual(['a', 'b', 'c', 'c']);
    expect(observer.breakers).toMatchObject([
      { credential: 'a', wait: 600 },
      { credential: 'b', wait: 60 },
    ]);
    const [url] = client.status().urls;
    expect(url?.breaker.state).toBe('closed');
    const states = url?.credentials.map(({ breaker }) => breaker.state);
    expect(states).toEqual(['open', 'open', 'closed']);
  });

  it('is not asked at all while all are limited, and says when', async () => {
    const client = await open(['a', 'b']);
    replies['a'] = { status: 429, headers: { 'retry-after': '600' } };
    replies['b'] = { status: 429, headers: { 'retry-after': '60' } };
    for (let round = 0; round < 5; round++) {
      await expect(client.resolve(repository, tag, signal)).rejects.toMatchObject({
        code: 'TOOMANYREQUESTS',
        retryAfter: 60,
      });
    }
    expect(asked()).toEqual(['a', 'b']);
  });

  it('is asked with the one that has most left', async () => {
    const client = await open(['a', 'b', 'c']);
    Object.assign(replies, { a: left(40), b: left(60), c: left(50) });
    for (let round = 0; round < 5; round++) await client.resolve(repository, tag, signal);
    expect(asked()).toEqual(['a', 'b', 'c', 'b', 'b']);
    expect(client.thrift.stretch).toBe(1);
    Object.assign(replies, { a: left(4), b: left(6), c: left(5) });
    for (let round = 0; round < 3; round++) await client.resolve(repository, tag, signal);
    expect(client.thrift).toMatchObject({ stretch: 10, remaining: 6 });
    expect(client.status().revalidation).toBe('stretched');
    expect(observer.thrifts).toMatchObject([{ stretch: 10, remaining: 6 }]);
  });

  it('is asked with another where one is denied, and denies where all are', async () => {
    const client = await open(['a', 'b']);
    replies['a'] = { status: 403 };
    await client.resolve(repository, tag, signal);
    replies['b'] = { status: 403 };
    await expect(client.resolve(repository, tag, signal)).rejects.toMatchObject({
      code: 'UPSTREAM_DENIED',
    });
    expect(asked()).toEqual(['a', 'b', 'a', 'b']);
  });

  it('has not said no while one of them could not be asked with', async () => {
    const client = await open(['a', 'b']);
    replies['a'] = { status: 403 };
    replies['b'] = { status: 429, headers: { 'retry-after': '60' } };
    for (let round = 0; round < 2; round++) {
      await expect(client.resolve(repository, tag, signal)).rejects.toMatchObject({
        code: 'TOOMANYREQUESTS',
      });
    }
  });

  it('is asked with another where one cannot be had, which no breaker hears of', async () => {
    const client = await open([helperFails, 'b']);
    for (let round = 0; round < 5; round++) await client.resolve(repository, tag, signal);
    expect(asked()).toEqual(Array.from({ length: 5 }, () => 'b'));
    const alone = await open([helperFails]);
    for (let round = 0; round < 5; round++) {
      await expect(alone.resolve(repository, tag, signal)).rejects.toThrow('helper failed');
    }
    const [url] = alone.status().urls;
    expect([url?.breaker.failures, url?.credentials[0]?.breaker.failures]).toEqual([0, 0]);
  });

  it('is left for its next URL, whatever its credentials, where it is down', async () => {
    const mirror = resources.use(
      new LoopbackServer((_seen, answer) => {
        answer.writeHead(200, { 'content-type': 'application/json' }).end();
      }),
    );
    await mirror.start();
    const client = await open(['a', 'b'], [mirror.origin]);
    replies['a'] = { status: 500 };
    for (let round = 0; round < 5; round++) await client.resolve(repository, tag, signal);
    expect(asked()).toEqual(['a', 'a', 'a']);
    expect(mirror.requests).toHaveLength(5);
    expect(client.status().urls.map(({ breaker }) => breaker.state)).toEqual(['open', 'closed']);
  });

  it('is spared for the quota of the URL that is asked, and not once that limits all', async () => {
    const mirror = resources.use(
      new LoopbackServer((_seen, answer) => {
        answer.writeHead(200, { 'content-type': 'application/json' }).end();
      }),
    );
    await mirror.start();
    const client = await open(['a'], [mirror.origin]);
    replies['a'] = left(0);
    await client.resolve(repository, tag, signal);
    expect(client.thrift.stretch).toBe(Infinity);
    replies['a'] = { ...left(0), status: 429 };
    await client.resolve(repository, tag, signal);
    expect([mirror.requests.length, client.thrift.stretch]).toEqual([1, 1]);
  });

  it('shows no secret', async () => {
    const client = await open(['a', 'b']);
    replies['a'] = { status: 429 };
    await client.resolve(repository, tag, signal);
    const shown = JSON.stringify([client.status(), observer.warnings, observer.breakers]);
    expect(shown).not.toContain('secret-of');
  });
});

describe('an upstream that redirects', () => {
  const resources = testResources();

  it('goes on being asked while the host that it redirects to is down or slow', async () => {
    const far = resources.use(
      new LoopbackServer((_seen, answer) => void answer.writeHead(503).end()),
    );
    await far.start();
    const server = resources.use(
      new LoopbackServer((seen, answer) => {
        if (seen.kind === 'manifest-get' || seen.kind === 'manifest-head') {
          answer.writeHead(200, { 'content-type': 'application/json' }).end('{}');
        } else answer.writeHead(307, { location: `${far.origin}/signed` }).end();
      }),
    );
    await server.start();
    const observer = new RecordingObserver();
    const client = new RegistryClient({ name: 'reef', urls: [server.origin], observer, env: {} });
    resources.defer(() => client.close());
    const digest = `sha256:${'0'.repeat(64)}` as Parameters<typeof client.fetchBlob>[1];
    for (let round = 0; round < 10; round++) {
      await expect(client.fetchBlob(repository, digest, undefined, signal)).rejects.toMatchObject({
        code: 'UPSTREAM_UNAVAILABLE',
        upstreamHost: far.host,
      });
      await client.resolve(repository, tag, signal);
    }
    expect(far.requests).toHaveLength(3);
    expect(client.status().urls[0]?.breaker).toMatchObject({ state: 'closed', failures: 0 });
    expect(observer.breakers).toMatchObject([{ host: far.host, credential: undefined }]);
    expect(client.status().redirects).toMatchObject([
      { host: far.host, breaker: { state: 'open', failures: 3 } },
    ]);
  });
});

function userOf(authorization: string | undefined): string {
  const decoded = Buffer.from(authorization?.replace(/^Basic /, '') ?? '', 'base64').toString();
  return decoded.split(':')[0] || 'anonymous';
}
