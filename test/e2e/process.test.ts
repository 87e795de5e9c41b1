import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Baleen } from '../support/baleen.ts';
import { get, startGet } from '../support/http-get.ts';
import { seededImage } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { baleenBefore } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

const MiB = 1024 * 1024;

describe('the process, ended in the middle of a transfer', () => {
  const resources = testResources();
  const image = seededImage([8 * MiB], 7);
  const layer = image.blobs.at(-1) as (typeof image.blobs)[0];
  let upstream: ScriptedUpstream;
  let baleen: Baleen;
  let url: string;

  beforeEach(async () => {
    upstream = resources.use(await ScriptedUpstream.start());
    upstream.add('blue/whale', 'v1', image);
    const timeouts = { idle: '1m' };
    baleen = resources.use(await baleenBefore(upstream, { timeouts }));
    url = `${baleen.url}/v2/blue/whale/blobs/${layer.digest}`;
  });

  it('goes on, after SIGKILL and a restart, where it stopped', async () => {
    upstream.fault({ on: 'blob-get', times: 1, holdAt: { bytes: 6 * MiB } });
    const client = startGet(url);
    await waitFor('most of the blob to have come', () => client.received() > 4 * MiB);
    await baleen.kill();
    const broken = await client.outcome;
    expect(broken.complete).toBe(false);

    await baleen.start();
    const again = await get(url);
    expect([again.complete, again.digest]).toEqual([true, layer.digest]);
    const resumed = upstream.requests('blob-get').at(-1)?.headers;
    expect(resumed?.range).toMatch(/^bytes=[1-9]\d*-/);
    expect(resumed?.['if-range']).toBe(`"${layer.digest}"`);
  });

  it('drains on SIGTERM: running transfers end well, new connections are refused', async () => {
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
    upstream.fault({ on: 'blob-get', times: 1, holdAt: { bytes: 6 * MiB, until } });
    const client = startGet(url);
    await waitFor('most of the blob to have come', () => client.received() > 4 * MiB);
    baleen.process.signal('SIGTERM');
    await waitFor('new connections to be refused', async () => {
      const { status } = await get(`${baleen.url}/v2/`);
      return status === 0;
    });
    goOn();
    const outcome = await client.outcome;
    expect([outcome.complete, outcome.digest]).toEqual([true, layer.digest]);
    expect(await baleen.process.exited).toEqual({ code: 0, signal: null });
  });

  it('serves after SIGKILL whatever had come to its end before', async () => {
    expect((await get(url)).digest).toBe(layer.digest);
    expect((await get(`${baleen.url}/v2/blue/whale/manifests/v1`)).status).toBe(200);
    await baleen.kill();
    await upstream.stop();
    await baleen.start();
    expect((await get(url)).digest).toBe(layer.digest);
    const manifest = await get(`${baleen.url}/v2/blue/whale/manifests/v1`);
    expect([manifest.status, manifest.digest]).toEqual([200, image.manifest.digest]);
  });
});
