import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { describeWith } from '../support/describe-with.ts';
import { get, startGet, type Got } from '../support/http-get.ts';
import { layerOf, seededImage, type Content } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { waitFor } from '../support/wait-for.ts';

const MiB = 1024 * 1024;

await describeWith(
  'a disk in trouble',
  [],
  () => {
    const resources = testResources();
    let disk: SmallDisk;
    let upstream: ScriptedUpstream;
    let baleen: Baleen;
    const image = seededImage([1000], 1);

    beforeEach(async () => {
      disk = resources.use(new SmallDisk(16));
      upstream = resources.use(await ScriptedUpstream.start());
      upstream.add('blue/whale', 'v1', image);
      const storage = { directory: join(disk.path, 'data') };
      baleen = resources.use(await Baleen.start({ ...dockerHubScripted(upstream), storage }));
    });

    const blobOf = (size: number, seed: number): Content => {
      const blob = layerOf(size, seed);
      upstream.repositories.addBlob('blue/whale', blob);
      return blob;
    };
    const url = ({ digest }: Content): string => `${baleen.url}/v2/blue/whale/blobs/${digest}`;
    const pull = (blob: Content): Promise<Got> => get(url(blob));
    const isHit = ({ headers }: Got): boolean => String(headers['cache-status']).includes('hit');
    const storage = async (): Promise<unknown> => {
      const answer = await fetch(`${baleen.operationsUrl}/readyz`);
      return ((await answer.json()) as { checks: { storage: unknown } }).checks.storage;
    };

    it('that is full lets images pass through to every client, and keeps them again later', async () => {
      const small = blobOf(2 * MiB, 1);
      await pull(small);
      const large = blobOf(40 * MiB, 2);
      // Until the next trial finds the room that the transfer gave up.
      const isTold = waitFor('the disk to be called full', async () => {
        const isFull = (await baleen.metric('baleen_disk_state', 'state="full"')) === 1;
        return isFull && (await storage()) === 'degraded';
      });
      const outcomes = await Promise.all(Array.from({ length: 10 }, () => pull(large)));
      expect(outcomes.map(({ complete, digest }) => complete && digest)).toEqual(
        outcomes.map(() => large.digest),
      );
      await isTold;
      expect(await baleen.metric('baleen_disk_failures_total')).toBeGreaterThan(0);
      const part = await get(url(large), { range: 'bytes=30000000-30000999' });
      expect([part.status, part.received]).toEqual([206, 1000]);
      expect((await get(`${baleen.url}/v2/blue/whale/manifests/v1`)).status).toBe(200);
      await waitFor('nothing of it to be left', () => {
        return readdirSync(join(disk.path, 'data/v1/spool')).length === 0;
      });
      disk.resize(128);
      await waitFor('the disk to be taken for good', async () => (await storage()) === 'ok');
      expect((await pull(large)).digest).toBe(large.digest);
      await waitFor('it to be kept', async () => isHit(await pull(large)));
    });

    it('that is full keeps nobody from starting, and from serving what is stored', async () => {
      const stored = blobOf(2 * MiB, 1);
      const other = blobOf(2 * MiB, 2);
      await pull(stored);
      await baleen.stop();
      await disk.fill();
      await baleen.start();
      expect(await storage()).toBe('degraded');
      expect(isHit(await pull(stored))).toBe(true);
      expect((await pull(other)).digest).toBe(other.digest);
      await disk.free();
      await waitFor('the disk to be taken for good', async () => (await storage()) === 'ok');
      await waitFor('it to be kept', async () => isHit(await pull(other)));
    });

    it('makes room for what is new by what was used longest ago, once it is full', async () => {
      const blobs = Array.from({ length: 12 }, (_, index) => blobOf(2 * MiB, index));
      for (const blob of blobs) expect((await pull(blob)).digest).toBe(blob.digest);
      await waitFor('something to be evicted', async () => {
        return (await baleen.metric('baleen_store_evicted_bytes_total', 'disk-full')) > 0;
      });
      const last = blobOf(MiB, 99);
      await waitFor('something new to be kept', async () => isHit(await pull(last)));
      expect((await pull(blobs[0]!)).digest).toBe(blobs[0]?.digest);
    });

    it('that turns read-only in the middle of a pull costs nobody an image', async () => {
      const older = blobOf(MiB, 3);
      const stored = blobOf(MiB, 1);
      for (const blob of [older, stored]) await pull(blob);
      const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
      const large = blobOf(8 * MiB, 2);
      upstream.fault({
        on: 'blob-get',
        when: (seen) => seen.url.includes(large.digest),
        times: 1,
        holdAt: { bytes: 4 * MiB, until },
      });
      const underWay = startGet(url(large));
      await waitFor('half of it', () => underWay.received() > 3 * MiB);
      // The file that grows is open for writing; the system remounts only where none is, so the
      // disk is filled up in its place.
      disk.resize(7);
      goOn();
      expect((await underWay.outcome).digest).toBe(large.digest);
      disk.setReadOnly(true);
      expect((await pull(large)).digest).toBe(large.digest);
      expect(isHit(await pull(stored))).toBe(true);
      expect((await get(`${baleen.url}/v2/blue/whale/manifests/v1`)).complete).toBe(true);
      expect(await storage()).toBe('degraded');
      disk.setReadOnly(false);
      disk.resize(64);
      await waitFor('the disk to be taken for good', async () => (await storage()) === 'ok');
      await pull(large);
      await waitFor('it to be kept', async () => isHit(await pull(large)));
    });
  },
  { root: true },
);
