import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, jest } from '@jest/globals';
import { RecordLayout } from '../../src/catalog/record-layout.ts';
import { Baleen } from '../support/baleen.ts';
import { get } from '../support/http-get.ts';
import { hosted } from '../support/hosted-directory.ts';
import { imageOf, indexOf, layerOf, type Content, type Image } from '../support/images.ts';
import { push } from '../support/push.ts';
import { testResources } from '../support/resources.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(120_000);

const shared = layerOf(100_000, 1);
/** Images with a layer in common and one of their own. */
const imageNo = (nth: number): Image => imageOf({ nth }, [shared, layerOf(10_000 + nth, nth + 2)]);

const rules = [{ repositories: ['ci/*'], tags: ['b*'], keep_last: 2 }];

describe('the collection of what was pushed', () => {
  const resources = testResources();

  async function pushed(gc: object = {}): Promise<Baleen> {
    const settings = {
      repositories: ['**'],
      rules,
      gc: { interval: 'off', grace: 0, ...gc },
    };
    const baleen = resources.use(await Baleen.start({ upstreams: {}, hosted: settings }));
    for (const nth of [1, 2, 3, 4]) {
      await push({ url: baleen.url }, 'ci/app', `b${String(nth)}`, imageNo(nth));
    }
    const index = indexOf({ amd64: imageNo(1), arm64: imageNo(5) });
    await push({ url: baleen.url }, 'release/app', 'v1', index);
    return baleen;
  }

  const tagsOf = async (baleen: Baleen, repository: string): Promise<string[]> => {
    const { text } = await get(`${baleen.url}/v2/${repository}/tags/list`);
    return (JSON.parse(text) as { tags: string[] }).tags;
  };
  const isWhole = async (baleen: Baleen, repository: string, image: Image): Promise<boolean> => {
    const base = `${baleen.url}/v2/${repository}`;
    const urls = [
      ...[image.manifest, ...image.children].map(({ digest }) => `${base}/manifests/${digest}`),
      ...image.blobs.map(({ digest }) => `${base}/blobs/${digest}`),
    ];
    const answers = await Promise.all(urls.map((url) => get(url)));
    return answers.every(({ status, complete }) => status === 200 && complete);
  };

  it('tells what would go, removes just that, and leaves the rest whole', async () => {
    const baleen = await pushed();
    const foreseen = await baleen.command('gc', '--dry-run');
    // Of the first image, the other repository still has all.
    expect(foreseen).toMatchObject({ code: 0, stderr: '' });
    expect(foreseen.stdout).toMatch(
      /^Would remove 0 blobs.*\nWould remove of what was pushed: 2 tags, 2 manifests, 3 blobs, .*\n {2}ci\/app:b1\n {2}ci\/app:b2\n/,
    );
    expect(await tagsOf(baleen, 'ci/app')).toEqual(['b1', 'b2', 'b3', 'b4']);

    const done = await baleen.command('gc', '--json');
    expect(JSON.parse(done.stdout)).toMatchObject({
      dry_run: false,
      hosted: { tags: ['ci/app:b1', 'ci/app:b2'], blobs: 3, repositories: 2, skipped: [] },
    });
    expect(await tagsOf(baleen, 'ci/app')).toEqual(['b3', 'b4']);
    expect(await isWhole(baleen, 'ci/app', imageNo(3))).toBe(true);
    expect(await isWhole(baleen, 'ci/app', imageNo(4))).toBe(true);
    const index = indexOf({ amd64: imageNo(1), arm64: imageNo(5) });
    expect(await isWhole(baleen, 'release/app', index)).toBe(true);
    const gone = `${baleen.url}/v2/ci/app/manifests/${imageNo(2).manifest.digest}`;
    expect((await get(gone)).status).toBe(404);

    expect(await baleen.metric('baleen_hosted_gc_removed_total', 'tags')).toBe(2);
    expect(await baleen.metric('baleen_hosted_gc_removed_total', 'blobs')).toBe(3);
    expect(await baleen.metric('baleen_hosted_gc_runs_total', 'completed')).toBe(1);
    expect((await baleen.command('gc')).stdout).toContain('0 tags, 0 manifests, 0 blobs, 0 B');
    expect(baleen.process.stdout).toMatch(
      /tags were removed that hosted\.rules do not keep.*b1.*b2/,
    );
  });

  it('removes what a client has deleted, and says that it was done by the clock', async () => {
    const baleen = await pushed();
    const { manifest } = imageNo(4);
    const url = `${baleen.url}/v2/ci/app/manifests/${manifest.digest}`;
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(202);
    const before = await baleen.metric('baleen_hosted_blobs');
    await baleen.stop();
    baleen.configure({
      hosted: { repositories: ['**'], gc: { interval: '1s', grace: 0 } },
    });
    await baleen.start();
    await waitFor('the collection', async () => {
      return (await baleen.metric('baleen_hosted_gc_removed_total', 'blobs')) >= 3;
    });
    // Its manifest, its config and its own layer.
    expect(await baleen.metric('baleen_hosted_blobs')).toBe(before - 3);
    expect(await isWhole(baleen, 'ci/app', imageNo(3))).toBe(true);
  });

  it('keeps a blob for the grace that a client has found, though nothing names it yet', async () => {
    const baleen = await pushed({ grace: '1h' });
    const image = imageNo(9);
    await push({ url: baleen.url }, 'new/app', 'v1', image);
    const repository = `${baleen.url}/v2/new/app`;
    const deleted = `${repository}/manifests/${image.manifest.digest}`;
    expect((await fetch(deleted, { method: 'DELETE' })).status).toBe(202);
    const record = new RecordLayout(join(baleen.dataDirectory, 'v1/hosted'));
    const [found, ...forgotten] = image.blobs;
    for (const { digest } of image.blobs) {
      // Uploaded two hours ago, as far as anybody can tell.
      const path = record.member(hosted('new/app'), 'blobs', digest);
      await utimes(path, Date.now() / 1000 - 7_200, Date.now() / 1000 - 7_200);
    }
    const head = async ({ digest }: Content): Promise<number> =>
      (await fetch(`${repository}/blobs/${digest}`, { method: 'HEAD' })).status;
    expect(await head(found!)).toBe(200);
    await baleen.command('gc');
    expect(await head(found!)).toBe(200);
    expect(await Promise.all(forgotten.map(head))).toEqual(forgotten.map(() => 404));
  });

  it('works on the directory where no Baleen runs, and never beside one that it cannot reach', async () => {
    const baleen = await pushed();
    await baleen.stop();
    baleen.configure({ operations: { listen: 'off' } });
    await baleen.start();
    const refused = await baleen.command('gc');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /what was pushed is left alone: process \d+ \(serve\) is at work/,
    );
    expect(await tagsOf(baleen, 'ci/app')).toEqual(['b1', 'b2', 'b3', 'b4']);
    expect((await baleen.command('gc', '--dry-run')).stdout).toContain('2 tags, 2 manifests, 3 bl');
    await baleen.stop();
    const done = await baleen.command('gc');
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(done.stdout).toContain('Removed of what was pushed: 2 tags, 2 manifests, 3 blobs');
    await baleen.start();
    expect(await tagsOf(baleen, 'ci/app')).toEqual(['b3', 'b4']);
    expect(await isWhole(baleen, 'ci/app', imageNo(4))).toBe(true);
  });
});
