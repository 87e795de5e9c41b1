import { join } from 'node:path';
import { beforeEach, expect, it } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { describeWith } from '../support/describe-with.ts';
import { get } from '../support/http-get.ts';
import { seededImage, type Image } from '../support/images.ts';
import { push } from '../support/push.ts';
import { testResources } from '../support/resources.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { waitFor } from '../support/wait-for.ts';

await describeWith(
  'a disk in trouble, to whoever pushes,',
  [],
  () => {
    const resources = testResources();
    let disk: SmallDisk;
    let baleen: Baleen;
    const [one, two] = [seededImage([1000], 1), seededImage([1000], 2)];

    beforeEach(async () => {
      disk = resources.use(new SmallDisk(16));
      const storage = { directory: join(disk.path, 'data') };
      const hosted = { repositories: ['local/**'] };
      baleen = resources.use(await Baleen.start({ storage, hosted }));
      await push(baleen, 'local/app', 'v1', one);
    });

    const putManifest = ({ manifest }: Image): Promise<Response> =>
      fetch(`${baleen.url}/v2/local/app/manifests/v1`, {
        method: 'PUT',
        headers: { 'content-type': manifest.mediaType },
        body: new Uint8Array(manifest.bytes),
      });
    const pulled = async (reference: string): Promise<string> => {
      const { status, digest } = await get(`${baleen.url}/v2/local/app/manifests/${reference}`);
      return status === 200 ? digest : String(status);
    };

    it.each([
      ['full', () => disk.fill(), () => disk.free()],
      ['read-only', async () => disk.setReadOnly(true), async () => disk.setReadOnly(false)],
    ])(
      'that is %s is no reason to lose anything, or to say that it was kept',
      async (_, spoil, mend) => {
        const { url } = baleen;
        // Its parts are there already.
        await push({ url }, 'local/app', 'other', two);
        const answer = await fetch(`${url}/v2/local/app/manifests/${two.manifest.digest}`, {
          method: 'DELETE',
        });
        expect(answer.status).toBe(202);
        await spoil();
        const refused = await putManifest(two);
        expect(refused.status).toBe(503);
        expect(await refused.json()).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] });
        expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
        expect(await pulled('v1')).toBe(one.manifest.digest);
        expect(await pulled(two.manifest.digest)).toBe('404');
        await mend();
        await waitFor('the push to be taken', async () => (await putManifest(two)).status === 201);
        expect(await pulled('v1')).toBe(two.manifest.digest);
        expect(await pulled(one.manifest.digest)).toBe(one.manifest.digest);
      },
    );
  },
  { root: true },
);
