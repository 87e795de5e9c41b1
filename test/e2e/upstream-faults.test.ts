import { describe, expect, it, jest } from '@jest/globals';
import type { Baleen } from '../support/baleen.ts';
import { get, type Got } from '../support/http-get.ts';
import { seededImage, type Content } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { baleenBefore } from '../support/scripted-baleen.ts';
import { ScriptedUpstream, type ScriptedOptions } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

/** The code of an answer's first error. */
function code({ text }: Got): string | undefined {
  return (JSON.parse(text) as { errors: { code: string }[] }).errors[0]?.code;
}

/** Settings under which two hundred kilobytes a second are a trickle. */
const trickling = {
  min_rate: '200KB',
  timeouts: { headers: '1s', idle: '1s', slow: '400ms', revalidate: '500ms', resume: '2s' },
};

describe('an upstream that misbehaves', () => {
  const resources = testResources();
  const image = seededImage([300_000], 9);
  const layer = image.blobs.at(-1) as Content;
  const secret = 'whale:plankton-9f27';
  let upstream: ScriptedUpstream;
  let baleen: Baleen;

  const start = async (
    options: ScriptedOptions = {},
    overrides: Readonly<Record<string, unknown>> = {},
  ): Promise<void> => {
    upstream = resources.use(await ScriptedUpstream.start(options));
    upstream.add('blue/whale', 'v1', image);
    upstream.add('blue/whale', 'edge', image);
    baleen = resources.use(await baleenBefore(upstream, overrides));
  };
  const blob = (repository = 'blue/whale'): Promise<Got> =>
    get(`${baleen.url}/v2/${repository}/blobs/${layer.digest}`);
  const manifest = (reference: string, repository = 'blue/whale'): Promise<Got> =>
    get(`${baleen.url}/v2/${repository}/manifests/${reference}`);

  it('gets credentials at its token server only, never at the CDN', async () => {
    await start({ token: { credentials: secret }, cdn: {} });
    expect((await manifest('v1')).digest).toBe(image.manifest.digest);
    expect((await blob()).digest).toBe(layer.digest);
    const basic = `Basic ${Buffer.from(secret).toString('base64')}`;
    expect(upstream.requests('token').map(({ headers }) => headers.authorization)).toContain(basic);
    expect(upstream.count('cdn')).toBe(1);
    for (const { headers } of upstream.cdn?.requests ?? []) {
      expect(Object.keys(headers)).not.toContain('authorization');
      expect(JSON.stringify(headers)).not.toContain('token-');
    }
    for (const { headers } of upstream.server.requests) {
      expect(headers.authorization ?? '').not.toContain('Basic');
    }
    expect(baleen.process.stdout + baleen.process.stderr).not.toContain('plankton-9f27');
  });

  it('gets no credentials for a realm on a foreign host', async () => {
    await start({ token: { credentials: secret, host: '127.0.0.2' } });
    const refused = await manifest('v1');
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(refused.headers['www-authenticate']).toBeUndefined();
    for (const { headers } of upstream.tokens?.requests ?? []) {
      expect(headers.authorization).toBeUndefined();
    }
  });

  it('is asked for a new token when it no longer takes the old one', async () => {
    await start({ token: { credentials: secret } });
    expect((await manifest('v1')).status).toBe(200);
    upstream.tokens?.revoke();
    expect((await blob()).digest).toBe(layer.digest);
    expect(upstream.count('token')).toBe(2);
  });

  it('is asked for one token by many requests at once', async () => {
    await start({ token: { credentials: secret, delay: 100 } });
    await Promise.all([blob(), manifest('v1'), manifest('edge'), blob(), manifest('v1')]);
    expect(upstream.count('token')).toBe(1);
  });

  it('is asked for a fresh URL when the signed one is used up', async () => {
    await start({ cdn: { uses: 1 } });
    upstream.fault({ on: 'cdn', times: 1, truncateAt: 200_000 });
    const outcome = await blob();
    expect([outcome.complete, outcome.digest]).toEqual([true, layer.digest]);
    expect(upstream.count('blob-get')).toBe(2);
    expect(upstream.requests('cdn').map(({ status }) => status)).toEqual([200, 206]);
  });

  it('has its blobs kept under the repository that they came from, and no other', async () => {
    await start();
    upstream.add('public/minnow', 'v1', seededImage([10], 10));
    expect((await blob()).status).toBe(200);
    expect((await manifest('v1')).status).toBe(200);
    expect(await blob('public/minnow')).toMatchObject({ status: 404 });
    expect(await blob('no/such')).toMatchObject({ status: 404 });
    expect(code(await manifest(image.manifest.digest, 'public/minnow'))).toBe('MANIFEST_UNKNOWN');
  });

  it('sends an HTML page in place of a blob or a manifest, which is neither served nor kept', async () => {
    await start();
    const page = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Log in' };
    upstream.fault({ on: 'blob-get', times: 1, instead: page });
    upstream.fault({ on: 'manifest-get', times: 1, instead: page });
    upstream.fault({ on: 'manifest-head', times: 1, instead: page });
    const wrong = await blob();
    expect(wrong.complete && wrong.status === 200).toBe(false);
    const portal = await manifest('v1');
    if (portal.status === 200) expect(portal.digest).toBe(image.manifest.digest);
    expect(portal.text).not.toContain('<html>');
    expect((await blob()).digest).toBe(layer.digest);
    expect((await manifest('v1')).digest).toBe(image.manifest.digest);
  });

  it('stalls once, and the transfer goes on through a new connection', async () => {
    await start();
    upstream.fault({ on: 'blob-get', times: 1, holdAt: { bytes: 200_000 } });
    const outcome = await blob();
    expect([outcome.complete, outcome.digest]).toEqual([true, layer.digest]);
    expect(upstream.requests('blob-get')[1]?.headers.range).toMatch(/^bytes=[1-9]\d*-/);
  });

  it('trickles once, and the transfer goes on through a new connection', async () => {
    await start({}, trickling);
    upstream.fault({ on: 'blob-get', times: 1, rate: 100_000 });
    const outcome = await blob();
    expect([outcome.complete, outcome.digest]).toEqual([true, layer.digest]);
    expect(upstream.requests('blob-get')[1]?.headers.range).toMatch(/^bytes=[1-9]\d*-/);
  });

  it('trickles for good, and the client is let go after the deadline', async () => {
    await start({}, trickling);
    upstream.fault({ on: 'blob-get', rate: 2000 });
    const outcome = await blob();
    expect(outcome.complete && outcome.status === 200).toBe(false);
    expect((await manifest('v1')).status).toBe(200);
  });

  it('sends a blob without an end, and is cut off', async () => {
    await start({}, { ...trickling, max_blob_size: '200KB' });
    upstream.fault({ on: 'blob-get', chunked: true });
    const outcome = await blob();
    expect(outcome.complete && outcome.status === 200).toBe(false);
    expect((await manifest('v1')).status).toBe(200);
  });

  it('stalls for good, and the client is let go after the deadline', async () => {
    await start();
    upstream.fault({ on: 'blob-get', times: 1, holdAt: { bytes: 1000 } });
    upstream.fault({ on: 'blob-get', holdAt: { bytes: 0 } });
    upstream.fault({ on: 'manifest-get', before: new Promise(() => undefined) });
    upstream.fault({ on: 'manifest-head', before: new Promise(() => undefined) });
    const [stalled, silent] = await Promise.all([blob(), manifest('v1')]);
    expect(stalled.complete && stalled.status === 200).toBe(false);
    expect([503, 504]).toContain(silent.status);
    upstream.faults.clear();
    // It is left alone for a second or two.
    await waitFor('the blob', async () => (await blob()).digest === layer.digest);
  });

  it.each([500, 502, 503, 429])(
    'answers %d, and an expired tag is served stale',
    async (status) => {
      await start();
      expect((await manifest('edge')).status).toBe(200);
      for (const on of ['manifest-head', 'manifest-get'] as const) {
        upstream.fault({ on, instead: { status, headers: { 'retry-after': '7' } } });
      }
      const stale = await manifest('edge');
      expect([stale.status, stale.digest]).toEqual([200, image.manifest.digest]);
      expect(stale.headers['cache-status']).toContain('fwd=stale');
      expect(stale.headers.age).toBeDefined();
    },
  );

  it.each([500, 503, 429])('answers %d, and is soon left alone', async (status) => {
    await start();
    expect((await manifest('edge')).status).toBe(200);
    for (const on of ['manifest-head', 'manifest-get', 'blob-get'] as const) {
      upstream.fault({ on, instead: { status, headers: { 'retry-after': '600' } } });
    }
    upstream.forget();
    for (let pull = 0; pull < 20; pull++) {
      expect((await manifest('edge')).status).toBe(200);
      const missed = await manifest('v1');
      expect(missed.status).toBe(status === 429 ? 429 : 503);
      expect(Number(missed.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(upstream.total).toBe(status === 429 ? 1 : 3);
  });

  it('limits the rate, and a client that misses is told how long to wait', async () => {
    await start();
    for (const on of ['manifest-head', 'manifest-get'] as const) {
      upstream.fault({ on, instead: { status: 429, headers: { 'retry-after': '7' } } });
    }
    const limited = await manifest('v1');
    expect([limited.status, code(limited)]).toEqual([429, 'TOOMANYREQUESTS']);
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('denies, and its challenge is not passed on', async () => {
    await start({ basic: 'someone:else' }, { credentials: { username: 'a', password: 'wrong' } });
    const denied = await manifest('v1');
    expect(denied.status).toBe(403);
    expect(denied.headers['www-authenticate']).toBeUndefined();
  });

  it('sends no digest header, and the client gets one', async () => {
    await start();
    for (const on of ['manifest-head', 'manifest-get', 'blob-get'] as const) {
      upstream.fault({ on, omitDigest: true });
    }
    expect((await manifest('v1')).headers['docker-content-digest']).toBe(image.manifest.digest);
    expect((await blob()).headers['docker-content-digest']).toBe(layer.digest);
  });

  it('refuses HEAD of blobs, and the client gets its size', async () => {
    await start({ refuseBlobHead: 401 });
    const head = await fetch(`${baleen.url}/v2/blue/whale/blobs/${layer.digest}`, {
      method: 'HEAD',
    });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(String(layer.bytes.length));
  });
});
