import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { beforeEach, expect, it, jest } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { get, startGet } from '../support/http-get.ts';
import { seededImage } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

const MiB = 1024 * 1024;
const resources = testResources();
const image = seededImage([4 * MiB], 71);
const layer = image.blobs.at(-1)!;
let upstream: ScriptedUpstream;
let baleen: Baleen;
let manifest: string;

const limits = (perClient: object) => ({ server: { limits: { per_client: perClient } } });

beforeEach(async () => {
  upstream = resources.use(await ScriptedUpstream.start());
  upstream.add('blue/whale', 'v1', image);
  baleen = resources.use(
    await Baleen.start(dockerHubScripted(upstream, { timeouts: { idle: '1m' } })),
  );
  manifest = `${baleen.url}/v2/blue/whale/manifests/v1`;
});

it('there are none unless they are configured', async () => {
  const answers = await Promise.all(Array.from({ length: 200 }, () => get(manifest)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(await baleen.metric('baleen_client_refusals_total')).toBe(0);
});

it('a rate is held from a reload on, counted and logged, and lifted by the next', async () => {
  await baleen.reload(limits({ requests_per_minute: 1, burst: 3 }));
  const answers = [];
  for (let index = 0; index < 6; index++) answers.push(await get(manifest));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429, 429]);
  expect(Number(answers.at(-1)?.headers['retry-after'])).toBeGreaterThan(30);
  expect(await baleen.metric('baleen_client_refusals_total', 'client_rate')).toBe(3);
  expect(baleen.process.stdout).toMatch(
    /reached a limit","limit":"client_rate","client":"127.0.0.1"/,
  );
  expect(baleen.process.stdout.split('reached a limit')).toHaveLength(2);
  await baleen.reload(limits({}));
  expect((await get(manifest)).status).toBe(200);
});

it('a limit on requests leaves running ones alone, and counts only those of the same client', async () => {
  const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
  upstream.fault({ on: 'blob-get', times: 1, holdAt: { bytes: 2 * MiB, until } });
  await baleen.reload(limits({ requests: 1 }));
  const running = startGet(`${baleen.url}/v2/blue/whale/blobs/${layer.digest}`);
  await waitFor('its beginning', () => running.received() > 0);
  expect((await get(manifest)).status).toBe(429);
  const other = httpGet(`${baleen.url}/v2/`, { localAddress: '127.0.0.2', agent: false });
  const [answer] = (await once(other, 'response')) as [IncomingMessage];
  answer.resume();
  expect(answer.statusCode).toBe(200);
  goOn();
  expect(await running.outcome).toMatchObject({ complete: true, digest: layer.digest });
  await waitFor('room', async () => (await get(manifest)).status === 200);
});
