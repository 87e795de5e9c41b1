import { existsSync } from 'node:fs';
import { describe, expect, it, jest } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { seededImage } from '../support/images.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { blobPath, digestsOf, flipBit, pullImage, quarantined } from '../support/stored.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

describe('the scrub of a running service', () => {
  it('finds a bit that has turned over before anybody asks, and the next pull is right', async () => {
    const image = seededImage([300_000, 200_000], 8);
    const layer = image.blobs.at(-1)!;
    await using upstream = await ScriptedUpstream.start();
    upstream.add('blue/whale', 'v1', image);
    await using baleen = await Baleen.start({
      ...dockerHubScripted(upstream),
      storage: { scrub: { interval: '1s', rate: '1MiB' } },
    });
    await pullImage(baleen, 'blue/whale', 'v1', image);
    await flipBit(blobPath(baleen, layer.digest));
    await waitFor('the scrub to find it', () => !existsSync(blobPath(baleen, layer.digest)));
    await waitFor('the scrub to count it', async () => {
      return (await baleen.metric('baleen_quarantined_blobs_total', 'finder="scrub"')) === 1;
    });
    expect(await quarantined(baleen)).toHaveLength(1);
    await waitFor('a pass to end', async () => {
      return (await baleen.metric('baleen_scrub_last_pass_timestamp_seconds')) > 0;
    });
    await waitFor('all to be read', async () => {
      return (await baleen.metric('baleen_scrub_bytes_total')) > 500_000;
    });
    expect(await baleen.metric('baleen_scrub_blobs_total')).toBeGreaterThanOrEqual(3);
    expect(baleen.process.stdout).toContain('"finder":"scrub"');

    upstream.forget();
    const answers = await pullImage(baleen, 'blue/whale', 'v1', image);
    expect(answers.map(({ digest }) => digest)).toEqual(digestsOf(image));
    expect(upstream.count('blob-get', layer.digest)).toBe(1);
    expect((await baleen.stop()).code).toBe(0);
  });
});
