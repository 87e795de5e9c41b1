import { describe, expect, it, jest } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { get } from '../support/http-get.ts';
import { layerOf, seededImage } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

const KiB = 1024;
const MiB = 1024 * KiB;

describe('a limit far below what is pulled', () => {
  const resources = testResources();

  it('is kept to while every pull succeeds, and what is pulled most stays', async () => {
    const upstream = resources.use(await ScriptedUpstream.start());
    upstream.add('blue/whale', 'v1', seededImage([1000], 1));
    const blobs = Array.from({ length: 40 }, (_, index) => layerOf(MiB - index * KiB, index + 1));
    for (const blob of blobs) upstream.repositories.addBlob('blue/whale', blob);
    const storage = { max_size: '12MiB' };
    const baleen = resources.use(await Baleen.start({ ...dockerHubScripted(upstream), storage }));
    const pull = async (index: number): Promise<void> => {
      const { digest } = blobs[index]!;
      const { url } = baleen;
      expect((await get(`${url}/v2/blue/whale/blobs/${digest}`)).digest).toBe(digest);
    };
    let most = 0;
    for (let round = 0; round < 40; round += 1) {
      // The first is wanted all the time.
      await Promise.all([pull(0), pull((round * 7) % 40), pull((round * 13) % 40)]);
      most = Math.max(most, await baleen.metric('baleen_store_bytes'));
    }
    expect(most).toBeLessThanOrEqual(12 * MiB);
    expect(upstream.count('blob-get', blobs[0]!.digest)).toBe(1);
    expect(await baleen.metric('baleen_store_evicted_blobs_total', 'size')).toBeGreaterThan(20);
    expect(baleen.process.stdout).not.toMatch(/"level":"error"/);
  });
});

describe('what is pinned', () => {
  const resources = testResources();

  it('stays, whatever else has to go, until it is unpinned', async () => {
    const upstream = resources.use(await ScriptedUpstream.start());
    const image = seededImage([MiB], 1);
    upstream.add('blue/whale', 'v1', image);
    const others = Array.from({ length: 8 }, (_, index) => layerOf(MiB, index + 10));
    for (const blob of others) upstream.repositories.addBlob('blue/whale', blob);
    const storage = { max_size: '4MiB' };
    const baleen = resources.use(await Baleen.start({ ...dockerHubScripted(upstream), storage }));
    const url = `${baleen.url}/v2/blue/whale`;
    expect(await baleen.command('pin', 'blue/whale:v1')).toMatchObject({
      code: 0,
      stdout: 'Pinned docker.io/blue/whale:v1\n',
    });
    await get(`${url}/manifests/v1`);
    for (const { digest } of image.blobs) await get(`${url}/blobs/${digest}`);
    for (const { digest } of others) await get(`${url}/blobs/${digest}`);
    await waitFor('room to be made', async () => {
      return (await baleen.metric('baleen_store_evicted_blobs_total', 'size')) >= 5;
    });
    for (const { digest } of image.blobs) {
      const again = await get(`${url}/blobs/${digest}`);
      expect(again.headers['cache-status']).toBe('baleen; hit');
    }
    expect((await baleen.command('pins')).stdout).toBe('docker.io/blue/whale:v1\n');
    expect((await baleen.command('unpin', 'blue/whale:v1')).code).toBe(0);
    expect(await baleen.command('unpin', 'docker.io/blue/whale:v1')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not pinned') as unknown,
    });
    expect((await baleen.command('pins')).stdout).toBe('');
  });
});

describe('the commands that look at the store', () => {
  const resources = testResources();

  it('ask the running Baleen, and do without one where none runs', async () => {
    const upstream = resources.use(await ScriptedUpstream.start());
    upstream.add('blue/whale', 'v1', seededImage([MiB, MiB], 1));
    const baleen = resources.use(await Baleen.start(dockerHubScripted(upstream)));
    const image = upstream.repositories.get('blue/whale')!;
    expect((await get(`${baleen.url}/v2/blue/whale/manifests/v1`)).status).toBe(200);
    for (const digest of image.blobs.keys()) {
      await get(`${baleen.url}/v2/blue/whale/blobs/${digest}`);
    }
    await waitFor('all of it to be stored', async () => {
      return (await baleen.metric('baleen_store_blobs')) === image.blobs.size + 1;
    });
    const does = async (...args: string[]): Promise<string> => {
      const { stdout, stderr } = await baleen.command(...args);
      return stdout + stderr;
    };
    expect(JSON.parse(await does('stats', '--json'))).toMatchObject({
      blobs: image.blobs.size + 1,
      disk: 'ok',
      max_size: null,
      repositories: { 'docker.io': 1 },
    });
    expect(await does('stats')).toMatch(/limit +none/);
    expect(await does('gc')).toMatch(/^Removed 0 blobs/);
    await baleen.stop();
    baleen.configure({ storage: { max_size: '1536KiB' } });
    expect(await does('gc', '--dry-run')).toMatch(/^Would remove [12] blobs?, /);
    expect(await does('gc')).toMatch(/^Removed [12] blobs?, /);
    const after = JSON.parse(await does('stats', '--json')) as { bytes: number };
    expect(after).toMatchObject({ max_size: 1536 * KiB });
    expect(after.bytes).toBeLessThanOrEqual(1536 * KiB);
  });
});
