import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ScheduleReport } from '../../src/service/schedule-report.ts';
import { Baleen, type Settings } from '../support/baleen.ts';
import { get } from '../support/http-get.ts';
import { indexOf, seededImage, type Image } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { blobPath } from '../support/stored.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(120_000);

/** Every second. */
const often = '* * * * * *';

describe('images are warmed by the clock', () => {
  const resources = testResources();
  let upstream: ScriptedUpstream;
  beforeEach(async () => {
    upstream = resources.use(await ScriptedUpstream.start());
  });

  const startWith = async (warm: Settings): Promise<Baleen> =>
    resources.use(await Baleen.start({ ...dockerHubScripted(upstream), warm }));
  const report = async (baleen: Baleen): Promise<ScheduleReport> => {
    const answer = await fetch(`${baleen.operationsUrl}/api/warm`);
    return (await answer.json()) as ScheduleReport;
  };
  const isThere = (baleen: Baleen, image: Image): boolean =>
    image.blobs.every(({ digest }) => existsSync(blobPath(baleen, digest)));
  const lastRun = async (baleen: Baleen, name: string) => {
    const { schedules } = await report(baleen);
    return schedules.find((each) => each.name === name)?.last ?? undefined;
  };

  it('as the configuration says, also after it was changed', async () => {
    const folder = resources.use(tempDir('lists'));
    const [whale, squid, krill] = [1, 2, 3].map((seed) => seededImage([40_000], seed));
    upstream.add('blue/whale', 'v1', whale!);
    upstream.add('blue/squid', 'v1', squid!);
    upstream.add('blue/krill', 'v1', krill!);
    const list = join(folder.path, 'images.txt');
    const schedule = { images: ['blue/whale:v1'], cron: often, pin: true };
    const baleen = await startWith({ schedules: { often: schedule } });
    await waitFor('the image to be there', () => isThere(baleen, whale!));
    const first = await waitFor('a run to end', () => lastRun(baleen, 'often'));
    expect(first).toMatchObject({ result: 'completed', images: 1, failed: 0 });
    expect(upstream.count('manifest-get')).toBe(1);
    expect((await baleen.command('pins')).stdout).toBe('docker.io/blue/whale:v1\n');

    // A list that is not there, and an image that is not there, leave the others as they are.
    const changed = { ...schedule, images: ['blue/squid:v1', 'blue/nobody:v1'], files: [list] };
    expect(await baleen.reload({ warm: { schedules: { often: changed } } })).toBe(true);
    await waitFor('the second image to be there', () => isThere(baleen, squid!));
    await waitFor('a run with failures to end', async () => {
      return (await lastRun(baleen, 'often'))?.failed === 2;
    });
    await writeFile(list, 'blue/krill:v1 # what whales eat\n');
    await waitFor('the image of the list to be there', () => isThere(baleen, krill!));
    await waitFor('a run with one failure to end', async () => {
      return (await lastRun(baleen, 'often'))?.failed === 1;
    });
    expect(await lastRun(baleen, 'often')).toMatchObject({
      result: 'incomplete',
      images: 3,
      failures: [{ image: 'docker.io/blue/nobody:v1', code: 'MANIFEST_UNKNOWN' }],
    });
    for (const image of [whale!, squid!, krill!]) {
      for (const { digest } of image.blobs) expect(upstream.count('blob-get', digest)).toBe(1);
    }

    const table = (await baleen.command('schedules')).stdout;
    expect(table).toMatch(/^often .* incomplete +3, 1 failed .* \* \* \* \* \* \* UTC$/m);
    expect(table).toMatch(/^ {2}docker\.io\/blue\/nobody:v1 +MANIFEST_UNKNOWN/m);
    const ofThis = 'schedule="often"';
    const metric = async (name: string, ...labels: string[]): Promise<number> =>
      baleen.metric(`baleen_warm_schedule_${name}`, ofThis, ...labels);
    expect(await metric('runs_total', 'result="completed"')).toBeGreaterThan(0);
    expect(await metric('runs_total', 'result="incomplete"')).toBeGreaterThan(0);
    expect(await metric('images_total', 'result="warmed"')).toBe(3);
    expect(await metric('fetched_bytes_total')).toBe(
      [whale!, squid!, krill!]
        .flatMap(({ blobs }) => blobs)
        .reduce((sum, { bytes }) => sum + bytes.length, 0),
    );
    expect(await metric('last_success_timestamp_seconds')).toBeGreaterThan(1e9);
    expect(await metric('next_due_timestamp_seconds')).toBeGreaterThan(1e9);
    expect(baleen.process.stdout).toMatch(/"msg":"a list of images has a fault".*no such file/);
    expect((await baleen.stop()).code).toBe(0);

    const left = await baleen.command('schedules');
    expect(left.stderr).toContain('No Baleen answers here');
    expect(left.stdout).toMatch(/^often .* incomplete/m);
  });

  it('where clients pull them most: a tag that has moved is there before anybody asks', async () => {
    const platforms = (seed: number) => ({
      amd64: seededImage([30_000], seed),
      arm64: seededImage([30_000], seed + 1),
    });
    const [before, after] = [platforms(10), platforms(20)];
    upstream.add('blue/whale', 'edge', indexOf(before));
    const baleen = await startWith({ platforms: ['all'], observed: { cron: often } });
    const base = `${baleen.url}/v2/blue/whale`;
    await get(`${base}/manifests/edge`);
    await get(`${base}/manifests/${before.arm64.manifest.digest}`);
    await waitFor('the platform to be known', async () => {
      const images = (await report(baleen)).observed?.images;
      return images?.[0]?.platforms.includes('linux/arm64');
    });
    expect((await report(baleen)).observed?.images).toEqual([
      { image: 'docker.io/blue/whale:edge', pulls: 1, platforms: ['linux/arm64'] },
    ]);

    upstream.add('blue/whale', 'edge', indexOf(after));
    await waitFor('the new image to be there', () => isThere(baleen, after.arm64));
    await waitFor('the run to end', async () => {
      const { schedules } = await report(baleen);
      return schedules[0]?.last?.fetched_blobs === 0;
    });
    expect(isThere(baleen, after.amd64)).toBe(false);
    // What is kept fresh is not counted as pulled.
    expect((await report(baleen)).observed?.images[0]?.pulls).toBe(1);
    const [gets, blobs] = [upstream.count('manifest-get'), upstream.count('blob-get')];
    expect((await get(`${base}/manifests/edge`)).digest).toBe(indexOf(after).manifest.digest);
    await get(`${base}/manifests/${after.arm64.manifest.digest}`);
    for (const { digest } of after.arm64.blobs) {
      expect((await get(`${base}/blobs/${digest}`)).digest).toBe(digest);
    }
    expect([upstream.count('manifest-get'), upstream.count('blob-get')]).toEqual([gets, blobs]);
    await waitFor('the second pull to count', async () => {
      return (await report(baleen)).observed?.images[0]?.pulls === 2;
    });
    expect((await baleen.command('schedules')).stdout).toMatch(
      /^ {2}2 +docker\.io\/blue\/whale:edge +linux\/arm64$/m,
    );

    // Switched off, it counts nothing.
    expect(await baleen.reload({ warm: {} })).toBe(true);
    expect((await report(baleen)).observed).toBeNull();
    expect((await baleen.stop()).code).toBe(0);
  });

  it('where a run was stopped in the middle, after the next start', async () => {
    const whale = seededImage([300_000], 31);
    const layer = whale.blobs.at(-1)!;
    upstream.add('blue/whale', 'v1', whale);
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
    upstream.fault({
      on: 'blob-get',
      when: ({ path }) => path.includes(layer.digest),
      times: 1,
      holdAt: { bytes: 1_000, until },
    });
    const images = ['blue/whale:v1'];
    const baleen = await startWith({ schedules: { often: { images, cron: often } } });
    await waitFor(
      'the layer to be asked for',
      () => upstream.count('blob-get', layer.digest) === 1,
    );
    expect((await report(baleen)).schedules[0]?.state).toBe('running');
    expect((await baleen.stop()).code).toBe(0);
    expect(baleen.process.stdout).toContain('"msg":"a scheduled run was stopped');
    goOn();
    await baleen.start();
    await waitFor('the image to be there', () => isThere(baleen, whale), 30_000);
    expect(baleen.process.stdout).toMatch(/"msg":"a scheduled run begins".*"missed":"20/);
    expect((await baleen.stop()).code).toBe(0);
  });
});
