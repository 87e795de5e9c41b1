import { afterEach, describe, expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { artifactOf, seededImage } from './images.ts';
import { testResources } from './resources.ts';
import { ScriptedUpstream, type ScriptedOptions } from './scripted-upstream.ts';

describe('the scripted upstream', () => {
  const resources = testResources();
  const image = seededImage([50_000], 1);
  const [layer] = image.blobs.slice(-1) as [(typeof image.blobs)[0]];
  let upstream: ScriptedUpstream;
  const start = async (options: ScriptedOptions = {}): Promise<void> => {
    upstream = resources.use(await ScriptedUpstream.start(options));
    upstream.add('blue/whale', 'v1', image);
  };
  const get = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${upstream.url}/v2/blue/whale/${path}`, init);
  const blob = `blobs/${layer.digest}`;
  const range = (condition: string): Promise<Response> =>
    get(blob, { headers: { range: 'bytes=100-', 'if-range': condition } });
  afterEach(() => {
    upstream.faults.clear();
  });

  it('serves manifests and blobs with their digests, and counts by kind', async () => {
    await start();
    const manifest = await get('manifests/v1');
    expect(manifest.headers.get('docker-content-digest')).toBe(image.manifest.digest);
    expect(digestOf(Buffer.from(await (await get(blob)).arrayBuffer()))).toBe(layer.digest);
    expect((await get('blobs/sha256:00')).status).toBe(404);
    expect([upstream.count('manifest-get'), upstream.count('blob-get', layer.digest)]).toEqual([
      1, 1,
    ]);
  });

  it('demands a token of the scope, from a server on another origin', async () => {
    await start({ token: { credentials: 'a:b' } });
    const refused = await get('manifests/v1');
    const challenge = refused.headers.get('www-authenticate') ?? '';
    const realm = /realm="([^"]+)"/.exec(challenge)?.[1] ?? '';
    expect(new URL(realm).origin).not.toBe(upstream.url);
    const ask = async (scope: string): Promise<Response> => {
      const answer = await fetch(`${realm}?scope=${scope}`, {
        headers: { authorization: `Basic ${btoa('a:b')}` },
      });
      const { token } = (await answer.json()) as { token: string };
      return get('manifests/v1', { headers: { authorization: `Bearer ${token}` } });
    };
    expect((await fetch(realm)).status).toBe(401);
    expect((await ask('repository:other:pull')).status).toBe(401);
    expect((await ask('repository:blue/whale:pull')).status).toBe(200);
    expect(upstream.count('token')).toBe(3);
    expect(upstream.count('manifest-get')).toBe(1);
  });

  it('sends blobs by way of a CDN that refuses authorization and used-up signatures', async () => {
    await start({ cdn: { uses: 1 } });
    const redirect = await get(blob, { redirect: 'manual' });
    const location = redirect.headers.get('location') ?? '';
    expect((await fetch(location, { headers: { authorization: 'Basic x' } })).status).toBe(400);
    expect((await fetch(location)).status).toBe(200);
    expect((await fetch(location)).status).toBe(403);
    expect(upstream.count('cdn')).toBe(3);
  });

  it('cuts, corrupts and holds bodies as scripted, so many times', async () => {
    await start();
    upstream.fault({ on: 'blob-get', times: 1, truncateAt: 1000 });
    upstream.fault({ on: 'blob-get', times: 1, flipBitAt: 999 });
    const gate = Promise.withResolvers<void>();
    upstream.fault({ on: 'blob-get', times: 1, holdAt: { bytes: 10, until: gate.promise } });
    await expect((await get(blob)).arrayBuffer()).rejects.toThrow();
    const flipped = Buffer.from(await (await get(blob)).arrayBuffer());
    expect(flipped.length).toBe(layer.bytes.length);
    expect(digestOf(flipped)).not.toBe(layer.digest);
    const held = (await get(blob)).body?.getReader();
    expect((await held?.read())?.value?.length).toBe(10);
    gate.resolve();
    expect((await held?.read())?.value?.length).toBeGreaterThan(0);
    await held?.cancel();
  });

  it('answers ranges under a matching If-Range only, and ignores them when scripted', async () => {
    await start();
    const part = await range(`"${layer.digest}"`);
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(layer.bytes.subarray(100))).toBe(true);
    expect((await range('"other"')).status).toBe(200);
    upstream.fault({ on: 'blob-get', ignoreRange: true });
    expect((await range(`"${layer.digest}"`)).status).toBe(200);
  });

  it('pages tags and referrers by Link', async () => {
    await start({ pageSize: 1 });
    upstream.add('blue/whale', 'v2', image);
    for (const text of ['a', 'b']) {
      upstream.add('blue/whale', undefined, artifactOf(image.manifest, 'application/x-test', text));
    }
    for (const path of ['tags/list', `referrers/${image.manifest.digest}`]) {
      const first = await get(path);
      const next = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
      const second = await fetch(new URL(next, upstream.url));
      expect(second.headers.get('link')).toBeNull();
      expect(await second.text()).not.toBe(await first.text());
    }
  });

  it('refuses connections once stopped, and comes back on its port', async () => {
    await start();
    await upstream.stop();
    await expect(get('manifests/v1')).rejects.toThrow();
    await upstream.start();
    expect((await get('manifests/v1')).status).toBe(200);
  });
});
