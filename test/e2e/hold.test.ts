import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { hashSync } from 'bcryptjs';
import type { Digest } from '../../src/oci/digest.ts';
import { Baleen, type Settings } from '../support/baleen.ts';
import { get, type Got } from '../support/http-get.ts';
import { artifactOf, indexOf, seededImage, type Image } from '../support/images.ts';
import { suiteResources, testResources } from '../support/resources.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';

jest.setTimeout(60_000);

const resources = testResources();
const suite = suiteResources();

let upstream: ScriptedUpstream;
let baleen: Baleen;

/** What a test holds back and judges; unlike that of any other test, since verdicts are about digests. */
let image: Image;
let arm: Image;
let index: Image;
let digest: Digest;
let seed = 800;

const hold = { repositories: ['reef.example/blue/**'], message: 'wait until it is scanned' };

function settings(more: Settings = {}): Settings {
  return { upstreams: { 'reef.example': { url: upstream.url, tag_ttl: '0s' } }, hold, ...more };
}

beforeAll(async () => {
  upstream = suite.use(await ScriptedUpstream.start());
  baleen = suite.use(await Baleen.start(settings()));
});

beforeEach(() => {
  image = seededImage([40_000], ++seed);
  arm = seededImage([30_000], ++seed);
  index = indexOf({ amd64: image, arm64: arm });
  ({ digest } = image.manifest);
  for (const name of ['blue/whale', 'open/krill']) {
    upstream.add(name, 'v1', image);
    upstream.add(name, 'multi', index);
  }
  upstream.add('blue/whale', 'signature', artifactOf(image.manifest, 'text/signature', 'mine'));
});

/** Has the running Baleen follow other settings for the rest of a test. */
async function follow(more: Settings): Promise<void> {
  expect(await baleen.reload(more)).toBe(true);
  resources.defer(async () => {
    await baleen.reload(settings({ notifications: {} }));
  });
}

const pathOf = (reference: string, repository = 'blue/whale'): string =>
  `/v2/reef.example/${repository}/manifests/${reference}`;
const pull = async (reference: string, repository?: string): Promise<Got> =>
  get(`${baleen.url}${pathOf(reference, repository)}`);

async function post(body: object): Promise<{ status: number; answer: Record<string, unknown> }> {
  const response = await fetch(`${baleen.operationsUrl}/api/verdicts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return {
    status: response.status,
    answer: (await response.json()) as Record<string, unknown>,
  };
}

async function say(verdict: string, of: string, more: object = {}): Promise<void> {
  expect(await post({ digest: of, verdict, ...more })).toMatchObject({
    status: 200,
    answer: { digest: of, verdict },
  });
}

const errorOf = ({ text }: Got): { code: string; message: string; detail: unknown } =>
  (JSON.parse(text) as { errors: [{ code: string; message: string; detail: unknown }] }).errors[0];

describe('an image that nobody has judged', () => {
  it('is held back, by tag and by digest, with the reason, and only where that is configured', async () => {
    const before = await baleen.metric('baleen_held_pulls_total', 'unknown');
    for (const reference of ['v1', digest, 'v1']) {
      const got = await pull(reference);
      expect(got.status).toBe(403);
      expect(errorOf(got)).toEqual({
        code: 'DENIED',
        message: 'wait until it is scanned',
        detail: { digest, verdict: 'unknown' },
      });
    }
    expect((await pull('v1', 'open/krill')).digest).toBe(digest);
    expect(await baleen.metric('baleen_held_pulls_total', 'unknown')).toBe(before + 3);
    await waitFor('a log line', () =>
      baleen.process.stdout.includes('"msg":"a pull was held back","repository":"reef.example/'),
    );
  });

  it('is not to be had by a conditional request, but can be asked for with HEAD', async () => {
    const headers = { 'if-none-match': `"${digest}"` };
    expect((await get(`${baleen.url}${pathOf('v1')}`, headers)).status).toBe(403);
    const head = await fetch(`${baleen.url}${pathOf('v1')}`, { method: 'HEAD' });
    expect([head.status, head.headers.get('docker-content-digest')]).toEqual([200, digest]);
    expect((await pull('nothing')).status).toBe(404);
  });

  it('is no list of referrers under the tag that is meant for those', async () => {
    const signature = artifactOf(image.manifest, 'text/signature', 'mine');
    const list = indexOf({ amd64: signature });
    const tag = digest.replace(':', '-');
    upstream.add('blue/whale', tag, list);
    expect((await pull(tag)).digest).toBe(list.manifest.digest);
    expect((await pull(list.manifest.digest)).status).toBe(403);
    expect((await pull(signature.manifest.digest)).status).toBe(403);
    // An image under such a tag is none.
    upstream.add('blue/whale', tag, image);
    expect((await pull(tag)).status).toBe(403);
  });

  it('goes out from the operations port, for the scanner', async () => {
    const got = await get(`${baleen.operationsUrl}${pathOf('v1')}`);
    expect(got.digest).toBe(digest);
    const layer = image.blobs.at(-1)!;
    const blob = `/v2/reef.example/blue/whale/blobs/${layer.digest}`;
    expect((await get(`${baleen.operationsUrl}${blob}`)).digest).toBe(layer.digest);
    expect((await get(`${baleen.operationsUrl}/v2/`)).status).toBe(200);
    const rebound = { host: 'evil.example' };
    expect((await get(`${baleen.operationsUrl}${pathOf('v1')}`, rebound)).status).toBe(404);
    const put = await fetch(`${baleen.operationsUrl}${pathOf('v1')}`, {
      method: 'PUT',
      body: '{}',
    });
    expect(put.status).toBe(404);
    // Where nothing is held back, nobody needs that door.
    await follow({ hold: { repositories: [] } });
    expect((await get(`${baleen.operationsUrl}${pathOf('v1')}`)).status).toBe(404);
    expect((await pull('v1')).digest).toBe(digest);
  });

  it('is told to a webhook, once for many tries', async () => {
    const receiver = resources.use(await WebhookReceiver.start());
    await follow({ notifications: { endpoints: { scanner: { url: receiver.url } } } });
    for (let n = 0; n < 5; n += 1) await pull('v1');
    await pull('multi');
    await waitFor('the events', () => receiver.events.some(({ target }) => target.tag === 'multi'));
    await waitFor('the last', () => receiver.events.length === 4);
    expect(receiver.events.map(({ action, target }) => `${action} ${String(target.tag)}`)).toEqual([
      'cache v1',
      'hold v1',
      'cache multi',
      'hold multi',
    ]);
    expect(receiver.events[1]).toMatchObject({
      target: { repository: 'reef.example/blue/whale', digest },
      request: { method: 'GET', host: baleen.host },
    });
  });

  it('goes out where only what is denied is held back', async () => {
    await follow({ hold: { ...hold, on_unknown: 'allow' } });
    expect((await pull('v1')).status).toBe(200);
    await say('deny', digest, { reason: 'CVE-2026-1 in libwhale' });
    const got = await pull('v1');
    expect([got.status, errorOf(got).message]).toEqual([
      403,
      'this image may not be pulled: CVE-2026-1 in libwhale',
    ]);
  });

  it('goes out to the accounts that are excepted', async () => {
    const receiver = resources.use(await WebhookReceiver.start());
    const folder = resources.use(tempDir('accounts'));
    const htpasswd = join(folder.path, 'htpasswd');
    await writeFile(htpasswd, `scanner:${hashSync('a', 4)}\nalice:${hashSync('b', 4)}\n`);
    const closed = resources.use(
      await Baleen.prepare(
        settings({
          auth: { htpasswd },
          hold: { ...hold, except: { accounts: ['scanner'] } },
          notifications: { endpoints: { log: { url: receiver.url, events: ['pull'] } } },
        }),
      ),
    );
    await closed.spawn();
    await closed.process.until(
      'answers',
      async () => (await fetch(`${closed.url}/v2/`)).status === 401,
    );
    const as = async (login: string): Promise<Got> =>
      get(`${closed.url}${pathOf('v1')}`, {
        authorization: `Basic ${Buffer.from(login).toString('base64')}`,
      });
    expect((await as('scanner:a')).digest).toBe(digest);
    expect(errorOf(await as('alice:b')).message).toBe('wait until it is scanned');
    expect((await as('mallory:c')).status).toBe(401);
    await waitFor('the pull', () => receiver.events.length === 1);
    expect(receiver.events[0]?.actor).toEqual({ name: 'scanner' });
    // The scanner's door is none to what accounts keep closed.
    expect((await get(`${closed.operationsUrl}${pathOf('v1')}`)).status).toBe(401);
  });
});

describe('a verdict', () => {
  it('lets an image go out, and takes it back, at once', async () => {
    expect((await pull('v1')).status).toBe(403);
    await say('allow', digest, { by: 'trivy' });
    expect((await pull('v1')).digest).toBe(digest);
    await say('deny', digest, { reason: 'a new CVE' });
    expect(errorOf(await pull('v1')).message).toContain('a new CVE');
    await say('none', digest);
    expect(errorOf(await pull('v1')).detail).toEqual({ digest, verdict: 'unknown' });
  });

  it('may come before the image, and survives SIGKILL', async () => {
    await say('allow', digest);
    await say('deny', arm.manifest.digest, { reason: 'not for arms' });
    await baleen.kill();
    await baleen.start();
    expect((await pull('v1')).digest).toBe(digest);
    expect(errorOf(await pull(arm.manifest.digest)).message).toContain('not for arms');
    expect(await baleen.metric('baleen_verdicts')).toBeGreaterThanOrEqual(2);
  });

  it('counts no more when it has expired', async () => {
    const { status } = await post({ digest, verdict: 'allow', expires_in: '1ms' });
    expect(status).toBe(200);
    expect((await pull('v1')).status).toBe(403);
  });

  it('on an index lets clients pull what it names, by digest, also after a restart', async () => {
    expect((await pull(arm.manifest.digest)).status).toBe(403);
    await say('allow', index.manifest.digest);
    expect((await pull('multi')).digest).toBe(index.manifest.digest);
    for (const child of index.children) expect((await pull(child.digest)).status).toBe(200);
    expect((await pull('v1')).digest).toBe(digest);
    await baleen.stop();
    await baleen.start();
    expect((await pull(arm.manifest.digest)).digest).toBe(arm.manifest.digest);
    // What is said of the image itself comes first.
    await say('deny', arm.manifest.digest);
    expect((await pull(arm.manifest.digest)).status).toBe(403);
    expect((await pull('multi')).status).toBe(200);
  });

  it('on an index that is cached holds for its images before anybody pulls it', async () => {
    await pull('multi');
    await say('allow', index.manifest.digest);
    expect((await pull(arm.manifest.digest)).status).toBe(200);
    await say('deny', index.manifest.digest, { reason: 'all of it' });
    expect(errorOf(await pull(arm.manifest.digest)).message).toContain('all of it');
  });

  it('on an image does not speak for its signature, nor for another image', async () => {
    await say('allow', digest);
    expect((await pull('signature')).status).toBe(403);
    expect((await pull('multi')).status).toBe(403);
  });

  it('can name an image as clients do', async () => {
    const { answer } = await post({ image: 'reef.example/blue/whale:v1', verdict: 'allow' });
    expect(answer).toMatchObject({ digest, verdict: 'allow' });
    expect((await pull('v1')).status).toBe(200);
    const wrong = await post({ image: 'reef.example/blue/whale', verdict: 'allow' });
    expect(wrong.status).toBe(400);
    expect((await post({ image: 'reef.example/blue/none:v1', verdict: 'allow' })).status).toBe(404);
  });

  it('is told on the operations port', async () => {
    const tell = async (query = ''): Promise<unknown[]> => {
      const text = await (await fetch(`${baleen.operationsUrl}/api/verdicts${query}`)).text();
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as unknown);
    };
    expect(await tell(`?digest=${digest}`)).toMatchObject([{ digest, verdict: 'none' }]);
    await say('allow', index.manifest.digest, { by: 'me', expires_in: '7d' });
    await pull('multi');
    const said = { by: 'me', expires: expect.stringMatching(/Z$/) };
    expect(await tell(`?digest=${digest}`)).toMatchObject([
      { ...said, digest, verdict: 'allow', through: index.manifest.digest },
    ]);
    expect(await tell()).toContainEqual(
      expect.objectContaining({ ...said, digest: index.manifest.digest }),
    );
  });
});
