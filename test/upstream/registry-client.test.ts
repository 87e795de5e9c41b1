import { describe, expect, it } from '@jest/globals';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Digest } from '../../src/oci/digest.ts';
import { maxManifestSize } from '../../src/oci/manifest.ts';
import { StaticCredentials } from '../../src/upstream/credentials.ts';
import { OfflineUpstream } from '../../src/upstream/offline-upstream.ts';
import type { RegistryClientOptions } from '../../src/upstream/registry-client-options.ts';
import { RegistryClient } from '../../src/upstream/registry-client.ts';
import {
  latest,
  repository,
  shelf,
  unreachableContract,
  upstreamContract,
  type UpstreamUnderTest,
} from '../contract/upstream.ts';
import { testResources } from '../support/resources.ts';
import { ScriptedUpstream, type ScriptedOptions } from '../support/scripted-upstream.ts';
import { LoopbackServer } from '../support/scripted/loopback-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { RecordingObserver } from './recording-observer.ts';

const credentials = new StaticCredentials('whale', 'krill');

async function fill(scripted: ScriptedUpstream): Promise<ScriptedUpstream> {
  for (const tag of shelf.tags) scripted.add(repository, tag, shelf.image);
  for (const artifact of shelf.artifacts) scripted.add(repository, undefined, artifact);
  return Promise.resolve(scripted);
}

async function open(
  script: ScriptedOptions,
  options: Partial<RegistryClientOptions> = {},
): Promise<UpstreamUnderTest & { upstream: RegistryClient; scripted: ScriptedUpstream }> {
  const scripted = await fill(await ScriptedUpstream.start(script));
  const upstream = new RegistryClient({ name: 'reef', urls: [scripted.url], env: {}, ...options });
  return {
    upstream,
    scripted,
    async [Symbol.asyncDispose]() {
      await upstream.close();
      await scripted[Symbol.asyncDispose]();
    },
  };
}

upstreamContract('of an open registry', () => open({}));
upstreamContract('that wants Basic', () => open({ basic: 'whale:krill' }, { credentials }));
upstreamContract('that wants a token', () => {
  return open({ token: { credentials: 'whale:krill' } }, { credentials });
});
upstreamContract('with a CDN', () => open({ cdn: { uses: 1 }, token: {} }));
upstreamContract('with small pages', () => open({ pageSize: 2 }));
upstreamContract('that refuses the HEAD of blobs', () => open({ refuseBlobHead: 401 }));

unreachableContract('that is configured offline', 'UPSTREAM_OFFLINE', () => {
  const upstream = new OfflineUpstream('reef');
  return Promise.resolve({ upstream, [Symbol.asyncDispose]: () => upstream.close() });
});
unreachableContract('that refuses connections', 'UPSTREAM_UNAVAILABLE', async () => {
  const test = await open({});
  await test.scripted.stop();
  return test;
});
unreachableContract('that is closed', 'UPSTREAM_UNAVAILABLE', async () => {
  const test = await open({});
  await test.upstream.close();
  return test;
});

const resources = testResources();

const pair = async (): Promise<{
  client: RegistryClient;
  first: ScriptedUpstream;
  second: ScriptedUpstream;
  observer: RecordingObserver;
}> => {
  const observer = new RecordingObserver();
  const first = resources.use(await fill(await ScriptedUpstream.start()));
  const second = resources.use(await fill(await ScriptedUpstream.start()));
  const urls = [first.url, second.url];
  const timeouts = { connect: 500, headers: 300 };
  const client = new RegistryClient({ name: 'reef', urls, observer, env: {}, timeouts });
  resources.defer(() => client.close());
  return { client, first, second, observer };
};

const use = async (
  script: ScriptedOptions = {},
  options: Partial<RegistryClientOptions> = {},
): Promise<Awaited<ReturnType<typeof open>>> => resources.use(await open(script, options));

/** A server that answers everything alike. */
const serve = async (
  status: number,
  headers: Record<string, string | string[]>,
  body: string | Buffer = '',
): Promise<{ client: RegistryClient; server: LoopbackServer; observer: RecordingObserver }> => {
  const server = resources.use(
    new LoopbackServer((_seen, answer) => void answer.writeHead(status, headers).end(body)),
  );
  await server.start();
  const observer = new RecordingObserver();
  const client = new RegistryClient({ name: 'reef', urls: [server.origin], observer, env: {} });
  resources.defer(() => client.close());
  return { client, server, observer };
};

describe('a registry client', () => {
  const { signal } = new AbortController();
  const { layer } = shelf;
  const { manifest } = shelf.image;
  const invalid = { code: 'UPSTREAM_INVALID' };

  it('sends the full Accept set, asks for no encoding and says who it is', async () => {
    const { upstream, scripted } = await use({}, { userAgent: 'baleen/1.2.3' });
    await upstream.resolve(repository, latest, signal);
    const [seen] = scripted.server.requests;
    expect(seen?.headers).toMatchObject({
      accept: expect.stringMatching(
        /oci.image.index.*oci.image.manifest.*list.v2.*manifest.v2/,
      ) as unknown,
      'accept-encoding': 'identity',
      'user-agent': 'baleen/1.2.3',
    });
  });

  it('is challenged once, not at every request', async () => {
    const { upstream, scripted } = await use({ token: {} });
    await upstream.ping(signal);
    await upstream.fetchManifest(repository, latest, signal);
    await upstream.statBlob(repository, layer.digest, signal);
    await upstream.listTags(repository, signal);
    const statuses = scripted.server.requests.map(({ status }) => status);
    expect(statuses).toEqual([401, 200, 200, 200]);
    expect(scripted.tokens?.requests).toHaveLength(1);
  });

  it('renews a token that was revoked in the middle, once for all', async () => {
    const { upstream, scripted } = await use({ token: {} });
    await upstream.fetchManifest(repository, latest, signal);
    scripted.tokens?.revoke();
    await Promise.all(
      Array.from({ length: 10 }, () => upstream.fetchManifest(repository, latest, signal)),
    );
    expect(scripted.tokens?.requests).toHaveLength(2);
  });

  it('gives no credential to a token server on another host', async () => {
    const { upstream, scripted } = await use(
      { token: { host: '127.0.0.2', credentials: 'whale:krill' } },
      { credentials },
    );
    await expect(upstream.fetchManifest(repository, latest, signal)).rejects.toMatchObject({
      code: 'UPSTREAM_DENIED',
    });
    expect(scripted.tokens?.requests.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
    ]);
  });

  it('sends no Authorization to the CDN', async () => {
    const script = { cdn: {}, token: { credentials: 'whale:krill' } };
    const { upstream, scripted } = await use(script, { credentials });
    const { body } = await upstream.fetchBlob(repository, layer.digest, undefined, signal);
    await buffer(body);
    expect(scripted.cdn?.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it('goes to the registry again for every transfer: signed URLs expire', async () => {
    const { upstream, scripted } = await use({ cdn: { uses: 1 } });
    for (const offset of [0, 100_000, 200_000]) {
      const resume = offset === 0 ? undefined : { offset };
      const fetched = await upstream.fetchBlob(repository, layer.digest, resume, signal);
      expect(await buffer(fetched.body)).toHaveLength(300_000 - offset);
    }
    expect(scripted.server.requests).toHaveLength(3);
  });

  it('makes do without a digest header', async () => {
    const { upstream, scripted } = await use();
    scripted.fault({ on: 'manifest-head', omitDigest: true });
    scripted.fault({ on: 'manifest-get', omitDigest: true });
    expect(await upstream.resolve(repository, latest, signal)).toMatchObject({ digest: undefined });
    expect((await upstream.fetchManifest(repository, latest, signal)).digest).toBeUndefined();
  });

  it('gets the manifest where HEAD is not implemented', async () => {
    const { upstream, scripted } = await use();
    scripted.fault({ on: 'manifest-head', instead: { status: 405 } });
    const { mediaType, digest, bytes } = manifest;
    const expected = { mediaType, digest, size: bytes.length };
    expect(await upstream.resolve(repository, latest, signal)).toEqual(expected);
  });

  it('sees the size of an empty blob in a 416 where HEAD is refused', async () => {
    const server = new LoopbackServer(({ method }, answer) => {
      if (method === 'HEAD') answer.writeHead(401).end();
      else answer.writeHead(416, { 'content-range': 'bytes */0' }).end();
    });
    await resources.use(server).start();
    const client = new RegistryClient({ name: 'reef', urls: [server.origin], env: {} });
    resources.defer(() => client.close());
    expect(await client.statBlob(repository, layer.digest, signal)).toEqual({ size: 0 });
  });

  it('refuses HTML in place of a manifest, a blob or tags', async () => {
    const html = { 'content-type': 'text/html; charset=utf-8' };
    const { client } = await serve(200, html, '<html>Please log in</html>');
    await expect(client.fetchManifest(repository, latest, signal)).rejects.toMatchObject(invalid);
    await expect(client.resolve(repository, latest, signal)).rejects.toMatchObject(invalid);
    await expect(client.statBlob(repository, layer.digest, signal)).rejects.toMatchObject(invalid);
    await expect(
      client.fetchBlob(repository, layer.digest, undefined, signal),
    ).rejects.toMatchObject(invalid);
    await expect(client.listTags(repository, signal)).rejects.toMatchObject(invalid);
  });

  it('refuses encoded content', async () => {
    const { client } = await serve(200, { 'content-encoding': 'gzip' }, 'x');
    await expect(
      client.fetchBlob(repository, layer.digest, undefined, signal),
    ).rejects.toMatchObject(invalid);
    await expect(client.fetchManifest(repository, latest, signal)).rejects.toMatchObject(invalid);
  });

  it('refuses a manifest above the limit', async () => {
    const { client } = await serve(200, {}, Buffer.alloc(maxManifestSize + 1, ' '));
    await expect(client.fetchManifest(repository, latest, signal)).rejects.toMatchObject(invalid);
    const { client: other } = await serve(200, {}, Buffer.alloc(maxManifestSize, ' '));
    const { bytes } = await other.fetchManifest(repository, latest, signal);
    expect(bytes).toHaveLength(maxManifestSize);
  });

  it('refuses more header bytes than anyone needs', async () => {
    const { client } = await serve(200, { 'x-long': 'x'.repeat(40_000) });
    await expect(client.resolve(repository, latest, signal)).rejects.toMatchObject(invalid);
  });

  it('does not run in circles through pages', async () => {
    const headers = { link: '</v2/library/reef/tags/list?n=1000>; rel="next"' };
    const { client, server, observer } = await serve(200, headers, '{"tags":["a","b"]}');
    expect(await client.listTags(repository, signal)).toEqual(['a', 'b']);
    expect(server.requests).toHaveLength(1);
    expect(observer.warnings).toHaveLength(1);
  });

  it('does not follow pages to another host', async () => {
    const headers = { link: '<http://127.0.0.9/x>; rel="next"' };
    const { client } = await serve(200, headers, '{"tags":["a","b"]}');
    await expect(client.listTags(repository, signal)).rejects.toMatchObject(invalid);
  });

  it('takes null for no tags, and leaves out what is none', async () => {
    const { client } = await serve(200, {}, '{"tags":null}');
    expect(await client.listTags(repository, signal)).toEqual([]);
    const { client: other } = await serve(200, {}, '{"tags":["a","../b",5]}');
    expect(await other.listTags(repository, signal)).toEqual(['a']);
  });

  it('knows a registry without a referrers API by its 404, or by what it answers instead', async () => {
    const { upstream } = await use({ referrers: false });
    expect(await upstream.listReferrers(repository, manifest.digest, signal)).toBeUndefined();
    const { client } = await serve(200, { 'content-type': 'application/json' }, '{}');
    expect(await client.listReferrers(repository, manifest.digest, signal)).toBeUndefined();
  });

  it('says of a server that is no registry that it is none', async () => {
    const { client } = await serve(404, {}, 'nginx');
    await expect(client.ping(signal)).rejects.toMatchObject(invalid);
  });

  it('reads the challenges of several header lines', async () => {
    const { client } = await serve(401, { 'www-authenticate': ['Negotiate', 'Basic realm="x"'] });
    await expect(client.ping(signal)).resolves.toBeUndefined();
    await expect(client.resolve(repository, latest, signal)).rejects.toMatchObject({
      code: 'UPSTREAM_DENIED',
      upstreamStatus: 401,
    });
  });

  describe('with several URLs', () => {
    it('uses the first while it is well', async () => {
      const { client, first, second } = await pair();
      await client.fetchManifest(repository, latest, signal);
      expect([first.total, second.total]).toEqual([1, 0]);
    });

    it.each([
      ['answers 503', { instead: { status: 503 } }],
      ['answers 429', { instead: { status: 429 } }],
      ['breaks the connection', { reset: true }],
      ['does not answer', { delay: 1500 }],
    ])('goes to the next where one %s', async (_what, fault) => {
      const { client, first, second, observer } = await pair();
      first.fault({ on: 'manifest-get', ...fault });
      await client.fetchManifest(repository, latest, signal);
      expect([first.total, second.total]).toEqual([1, 1]);
      expect(observer.warnings).toEqual([expect.stringContaining(`trying ${second.server.host}`)]);
    });

    it('goes to the next where one is down', async () => {
      const { client, first, second } = await pair();
      await first.stop();
      const { body } = await client.fetchBlob(repository, layer.digest, undefined, signal);
      expect((await buffer(body)).equals(layer.bytes)).toBe(true);
      expect(second.total).toBe(1);
    });

    it('believes a 404', async () => {
      const { client, second } = await pair();
      const absent = manifest.digest.replace(/.$/, (end) => (end === '0' ? '1' : '0')) as Digest;
      await expect(client.fetchManifest(repository, absent, signal)).rejects.toMatchObject({
        code: 'MANIFEST_UNKNOWN',
      });
      expect(second.total).toBe(0);
    });

    it('fails as the last one failed', async () => {
      const { client, first, second } = await pair();
      await first.stop();
      second.fault({ on: 'manifest-get', instead: { status: 500 } });
      await expect(client.fetchManifest(repository, latest, signal)).rejects.toMatchObject({
        code: 'UPSTREAM_UNAVAILABLE',
        upstreamStatus: 500,
      });
    });
  });

  describe('whose registry has trouble', () => {
    it('leaves it alone after three failures, and says when to come back', async () => {
      const { client, server, observer } = await serve(503, {});
      for (let attempt = 0; attempt < 3; attempt++) {
        await expect(client.resolve(repository, latest, signal)).rejects.toMatchObject({
          code: 'UPSTREAM_UNAVAILABLE',
        });
      }
      await expect(client.fetchManifest(repository, latest, signal)).rejects.toMatchObject({
        code: 'UPSTREAM_UNAVAILABLE',
        retryAfter: expect.any(Number) as unknown,
        upstreamStatus: 503,
        message: expect.stringMatching(/^reef is not asked again for \d+ s: .*503/) as unknown,
      });
      expect(server.requests).toHaveLength(3);
      expect(observer.breakers).toMatchObject([{ upstream: 'reef', host: server.host }]);
    });

    it('asks nothing for as long as a 429 says', async () => {
      const { client, server } = await serve(429, { 'retry-after': '90' });
      const refused = { code: 'TOOMANYREQUESTS', retryAfter: 90 };
      for (let attempt = 0; attempt < 5; attempt++) {
        await expect(client.resolve(repository, latest, signal)).rejects.toMatchObject(refused);
      }
      expect(server.requests).toHaveLength(1);
    });

    it('takes no answer of the registry for trouble', async () => {
      for (const status of [401, 403, 404]) {
        const { client, server, observer } = await serve(status, {});
        for (let attempt = 0; attempt < 5; attempt++) {
          await expect(client.resolve(repository, latest, signal)).rejects.toThrow();
        }
        expect(server.requests.length).toBeGreaterThanOrEqual(5);
        expect(observer.breakers).toEqual([]);
      }
    });

    it('comes back by itself', async () => {
      const { upstream, scripted } = await use();
      scripted.fault({ on: 'manifest-head', instead: { status: 429 }, times: 1 });
      await expect(upstream.resolve(repository, latest, signal)).rejects.toThrow('429');
      await expect(upstream.resolve(repository, latest, signal)).rejects.toThrow('not asked again');
      await waitFor('the registry to be asked again', () =>
        upstream.resolve(repository, latest, signal),
      );
      expect(scripted.total).toBe(2);
    });

    it('is not stuck where the one that finds out gives up', async () => {
      const { upstream, scripted } = await use();
      scripted.fault({ on: 'manifest-head', instead: { status: 429 }, times: 1 });
      scripted.fault({ on: 'manifest-head', before: new Promise(() => undefined), times: 1 });
      await expect(upstream.resolve(repository, latest, signal)).rejects.toThrow('429');
      const impatient = new AbortController();
      await waitFor('a request that hangs', async () => {
        const asked = upstream.resolve(repository, latest, impatient.signal);
        asked.catch(() => undefined);
        await Promise.race([asked.catch(() => undefined), sleep(50)]);
        return scripted.total === 2;
      });
      impatient.abort();
      expect(
        await waitFor('an answer', () => upstream.resolve(repository, latest, signal)),
      ).toMatchObject({ digest: manifest.digest });
    });

    it('passes over a URL that is left alone', async () => {
      const { client, first, second } = await pair();
      first.fault({ on: 'manifest-get', instead: { status: 429 } });
      for (let attempt = 0; attempt < 3; attempt++) {
        await client.fetchManifest(repository, latest, signal);
      }
      expect([first.total, second.total]).toEqual([1, 3]);
    });
  });

  it.each([[[]], [['reef.test']], [['https://u:p@reef.test']]])(
    'cannot be made from the URLs %j',
    (urls) => {
      expect(() => new RegistryClient({ name: 'reef', urls, env: {} })).toThrow(/URL|registry/);
    },
  );
});
