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

/** Code of somebody else in the same process, with bugs that two signals set off. */
const buggyModule = `
  process.on('SIGUSR2', () => void Promise.reject(new Error('nobody handles this')));
  process.on('SIGWINCH', () => setImmediate(() => { throw new Error('nobody catches this'); }));
`;

const resources = testResources();
const image = seededImage([8 * MiB], 51);
const layer = image.blobs.at(-1)!;
let upstream: ScriptedUpstream;
let baleen: Baleen;

beforeEach(async () => {
  upstream = resources.use(await ScriptedUpstream.start());
  upstream.add('blue/whale', 'v1', image);
  const timeouts = { idle: '1m' };
  baleen = resources.use(await Baleen.prepare(dockerHubScripted(upstream, { timeouts })));
  const source = Buffer.from(buggyModule).toString('base64');
  baleen.environment = { NODE_OPTIONS: `--import=data:text/javascript;base64,${source}` };
  await baleen.start();
});

it('a rejection that nobody handles is logged and counted, and the service goes on', async () => {
  baleen.process.signal('SIGUSR2');
  await baleen.process.until('says so', () => baleen.process.stdout.includes('nobody handles'));
  expect(baleen.process.stdout).toMatch(/"level":"error".*"stack":"Error: nobody handles this/);
  expect(await baleen.metric('baleen_process_failures_total', 'rejection')).toBe(1);
  expect((await get(`${baleen.url}/v2/blue/whale/manifests/v1`)).status).toBe(200);
});

it('an exception that nobody catches lets running transfers end, then ends the process', async () => {
  const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
  upstream.fault({ on: 'blob-get', times: 1, holdAt: { bytes: 6 * MiB, until } });
  const client = startGet(`${baleen.url}/v2/blue/whale/blobs/${layer.digest}`);
  await waitFor('most of the blob to have come', () => client.received() > 4 * MiB);
  baleen.process.signal('SIGWINCH');
  await waitFor('new connections to be refused', async () => {
    const { status } = await get(`${baleen.url}/v2/`);
    return status === 0;
  });
  goOn();
  expect(await client.outcome).toMatchObject({ complete: true, digest: layer.digest });
  expect(await baleen.process.exited).toEqual({ code: 1, signal: null });
  expect(baleen.process.stdout).toMatch(/"level":"error".*"stack":"Error: nobody catches this/);
});
