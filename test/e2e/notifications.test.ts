import { beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Baleen, type Settings } from '../support/baleen.ts';
import { get } from '../support/http-get.ts';
import { indexOf, seededImage, type Image } from '../support/images.ts';
import { push } from '../support/push.ts';
import { suiteResources, testResources } from '../support/resources.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';
import { WebhookReceiver, type ReceivedEvent } from '../support/webhook-receiver.ts';

jest.setTimeout(60_000);

const suite = suiteResources();
const resources = testResources();

let upstream: ScriptedUpstream;
let receiver: WebhookReceiver;
let baleen: Baleen;

/** What a test pulls or pushes: new to Baleen each time. */
let image: Image;
let index: Image;
let seed = 700;
/** The endpoint of a test: each has a queue of its own. */
let name = '';

const all = ['push', 'pull', 'delete', 'cache', 'hold'];

/** Has Baleen tell the test's receiver of everything, or as it is said. */
async function listen(more: Settings = {}): Promise<void> {
  const endpoints = { [name]: { url: receiver.url, events: all, ...more } };
  expect(await baleen.reload({ notifications: { endpoints } })).toBe(true);
}

beforeAll(async () => {
  upstream = suite.use(await ScriptedUpstream.start());
  baleen = suite.use(
    await Baleen.start({
      upstreams: { 'reef.example': { url: upstream.url, tag_ttl: '0s' } },
      hosted: { repositories: ['local/**'] },
    }),
  );
});

beforeEach(async () => {
  image = seededImage([40_000], ++seed);
  index = indexOf({ amd64: image, arm64: seededImage([30_000], ++seed) });
  name = `receiver-${String(seed)}`;
  upstream.add('blue/whale', 'v1', image);
  upstream.add('blue/whale', 'multi', index);
  receiver = resources.use(await WebhookReceiver.start());
});

const path = (reference: string): string => `/v2/reef.example/blue/whale/manifests/${reference}`;

/** Pulls as clients do: the manifest, then its children's, then the blobs. */
async function pull(what: Image, reference: string): Promise<void> {
  for (const each of [reference, ...what.children.map(({ digest }) => digest)]) {
    expect((await get(`${baleen.url}${path(each)}`)).status).toBe(200);
  }
  for (const { digest } of what.blobs) {
    const got = await get(`${baleen.url}/v2/reef.example/blue/whale/blobs/${digest}`);
    expect(got.digest).toBe(digest);
  }
}

const actions = (events: readonly ReceivedEvent[]): string[] =>
  events.map(({ action, target }) => `${action} ${target.tag ?? target.digest ?? ''}`);

describe('notifications of what is pulled through', () => {
  it('tell of what is new here and of each pull of a manifest, in the form of the CNCF registry', async () => {
    await listen();
    await pull(image, 'v1');
    await pull(image, 'v1');
    await waitFor('three events', () => receiver.events.length === 3);
    const [cached, pulled] = receiver.events;
    const { digest, mediaType, bytes } = image.manifest;
    const target = {
      mediaType,
      digest,
      size: bytes.length,
      length: bytes.length,
      repository: 'reef.example/blue/whale',
      tag: 'v1',
    };
    expect(cached).toMatchObject({ action: 'cache', target, request: {}, actor: {} });
    const references = cached?.target['references'] as { digest: string }[];
    expect(references.map((each) => each.digest)).toEqual(image.blobs.map((each) => each.digest));
    expect(pulled).toMatchObject({
      action: 'pull',
      target: { ...target, url: `${baleen.url}${path(digest)}` },
      request: { addr: expect.stringContaining('127.0.0.1'), host: baleen.host, method: 'GET' },
      source: { addr: expect.stringMatching(`:${String(baleen.port)}$`) },
    });
    expect(actions(receiver.events)).toEqual(['cache v1', 'pull v1', 'pull v1']);
    // The pull is also in the access log, under the same id.
    const id = pulled?.request['id'];
    await waitFor('the access line', () => baleen.process.stdout.includes(`"id":"${String(id)}"`));
  });

  it('tell of layers where they are asked to, and once for each that is new', async () => {
    await listen({ blobs: true, events: ['cache'] });
    await pull(index, 'multi');
    await pull(index, 'multi');
    const expected = [index.manifest, ...index.children, ...index.blobs];
    await waitFor('all events', () => receiver.events.length >= expected.length);
    expect(receiver.events).toHaveLength(expected.length);
    expect(new Set(receiver.events.map(({ target }) => target.digest))).toEqual(
      new Set(expected.map(({ digest }) => digest)),
    );
  });

  it('survive SIGKILL, and a receiver that is down meanwhile', async () => {
    await listen({ events: ['cache'] });
    await receiver.stop();
    await pull(image, 'v1');
    await pull(index, 'multi');
    // The image is one of the index's children, and known by then.
    const expected = ['cache v1', 'cache multi', `cache ${index.children[1]!.digest}`];
    await waitFor(
      'the queue',
      async () => (await baleen.metric('baleen_notifications_queued', name)) === expected.length,
    );
    await waitFor(
      'a failure',
      async () => (await baleen.metric('baleen_notifications_failures_total', name)) > 0,
    );
    await baleen.kill();
    await receiver.listen();
    await baleen.start();
    await waitFor('the events', () => receiver.events.length >= expected.length);
    expect(actions(receiver.events)).toEqual(expected);
  });

  it('hold up no pull while the receiver hangs, and stop with the service', async () => {
    receiver.gate = new Promise(() => undefined);
    await listen();
    for (let n = 0; n < 20; n += 1) await pull(image, 'v1');
    await waitFor('a request that hangs', () => receiver.waiting === 1);
    expect((await baleen.stop()).code).toBe(0);
    await baleen.start();
  });

  it('are shown on the operations port, with no secret anywhere', async () => {
    const headers = { Authorization: 'Bearer hunter3-hunter3' };
    await listen({ url: `${receiver.url}?token=hunter2`, headers });
    receiver.faults.push(500);
    await pull(image, 'v1');
    await waitFor('delivery', () => receiver.events.length === 2);
    expect(receiver.posts[0]?.headers.authorization).toBe('Bearer hunter3-hunter3');
    const shown = (await (await fetch(`${baleen.operationsUrl}/api/notifications`)).json()) as {
      endpoints: Record<string, unknown>[];
    };
    expect(shown.endpoints).toEqual([
      {
        name,
        url: `${receiver.url}?token=***`,
        queued: 0,
        bytes: expect.any(Number),
        oldest: null,
        delivered: 2,
        dropped: 0,
        failures: 0,
        last_failure: 'it answered 500',
        last_delivery: expect.stringMatching(/^\d{4}-/),
      },
    ]);
    expect(await baleen.metric('baleen_notifications_delivered_total', name)).toBe(2);
    expect(baleen.process.stdout).toContain('an endpoint did not take its events');
    expect(JSON.stringify(shown) + baleen.process.stdout + baleen.process.stderr).not.toMatch(
      /hunter/,
    );
  });

  it('go to another receiver after SIGHUP, and what waited goes along', async () => {
    await listen({ events: ['cache'] });
    await receiver.stop();
    await pull(image, 'v1');
    const other = resources.use(await WebhookReceiver.start());
    await listen({ events: ['cache'], url: other.url });
    await waitFor('the event', () => other.events.length === 1);
    const endpoints = { [name]: { url: other.url, ca: baleen.configFile } };
    expect(await baleen.reload({ notifications: { endpoints } })).toBe(false);
    await listen();
  });
});

describe('notifications of what is pushed', () => {
  const send = async (
    method: string,
    to: string,
    body?: Buffer,
    mediaType = '',
  ): Promise<Response> => {
    const headers = { 'content-type': mediaType };
    const response = await fetch(`${baleen.url}${to}`, {
      method,
      ...(body && { headers, body: new Uint8Array(body) }),
    });
    expect([to, response.ok]).toEqual([to, true]);
    return response;
  };
  const put = async (reference: string): Promise<Response> =>
    send(
      'PUT',
      `/v2/local/whale/manifests/${reference}`,
      image.manifest.bytes,
      image.manifest.mediaType,
    );

  it('tell of pushes, mounts and deletes, with who did it and where it is', async () => {
    await listen({ blobs: true });
    const [config, layer] = image.blobs;
    await push({ url: baleen.url }, 'local/whale', 'v1', image);
    await send('POST', `/v2/local/krill/blobs/uploads/?mount=${layer!.digest}&from=local/whale`);
    await put(`${image.manifest.digest}?tag=v2&tag=v3`);
    await send('DELETE', '/v2/local/whale/manifests/v1');
    await send('DELETE', `/v2/local/whale/manifests/${image.manifest.digest}`);
    await send('DELETE', `/v2/local/krill/blobs/${layer!.digest}`);
    await waitFor('all events', () => receiver.events.length === 9);
    const told = receiver.events.map(({ action, target }) => ({ action, ...target }));
    const blob = {
      mediaType: 'application/octet-stream',
      action: 'push',
      repository: 'local/whale',
    };
    expect(new Set(told.slice(0, 2))).toEqual(
      new Set(
        [config!, layer!].map(({ digest, bytes }) =>
          expect.objectContaining({
            ...blob,
            digest,
            size: bytes.length,
            url: `${baleen.url}/v2/local/whale/blobs/${digest}`,
          }),
        ),
      ),
    );
    const { digest, mediaType, bytes } = image.manifest;
    const manifest = {
      action: 'push',
      mediaType,
      digest,
      size: bytes.length,
      repository: 'local/whale',
      url: `${baleen.url}/v2/local/whale/manifests/${digest}`,
      references: image.blobs.map((each) => expect.objectContaining({ digest: each.digest })),
    };
    expect(told.slice(2)).toMatchObject([
      { ...manifest, tag: 'v1' },
      {
        action: 'mount',
        digest: layer!.digest,
        size: layer!.bytes.length,
        repository: 'local/krill',
        fromRepository: 'local/whale',
      },
      { ...manifest, tag: 'v2' },
      { ...manifest, tag: 'v3' },
      { action: 'delete', repository: 'local/whale', tag: 'v1' },
      { action: 'delete', repository: 'local/whale', digest },
      { action: 'delete', repository: 'local/krill', digest: layer!.digest },
    ]);
    expect(told[6]).not.toHaveProperty('digest');
    expect(receiver.events[2]?.request).toMatchObject({ method: 'PUT', host: baleen.host });
  });

  it('lose no acknowledged push to SIGKILL', async () => {
    await listen({ events: ['push'] });
    await receiver.stop();
    await push({ url: baleen.url }, 'local/whale', 'first', image);
    const acknowledged = ['first'];
    for (let round = 0; round < 2; round += 1) {
      // Some are on their way when it dies.
      const pushes = Array.from({ length: 30 }, async (_, n) => {
        const tag = `r${String(round)}-${String(n)}`;
        await put(tag);
        acknowledged.push(tag);
        if (n === 7) await baleen.kill();
      });
      await Promise.allSettled(pushes);
      await baleen.start();
    }
    expect(acknowledged.length).toBeGreaterThan(3);
    await receiver.listen();
    await waitFor('the queue to be empty', async () => {
      const waiting = await baleen.metric('baleen_notifications_queued', name);
      return waiting === 0 && receiver.events.length >= acknowledged.length;
    });
    const told = new Set(receiver.events.map(({ target }) => target.tag));
    expect(acknowledged.filter((tag) => !told.has(tag))).toEqual([]);
  });
});
