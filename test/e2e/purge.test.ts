import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PinRecord } from '../../src/catalog/pin-record.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { parseRepositoryName, qualify } from '../../src/oci/repository-name.ts';
import type { PurgeReport } from '../../src/registry/purge.ts';
import { Baleen } from '../support/baleen.ts';
import { get } from '../support/http-get.ts';
import { imageOf, layerOf, type Content, type Image } from '../support/images.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { blobPath, digestsOf, pullImage } from '../support/stored.ts';

jest.setTimeout(60_000);

const base = layerOf(100_000, 1);
const [top1, top2, top3] = [layerOf(10_000, 2), layerOf(20_000, 3), layerOf(30_000, 4)];
const v1 = imageOf({ version: 1 }, [base, top1]);
const v2 = imageOf({ version: 2 }, [base, top2]);
const cousin = imageOf({ version: 3 }, [base, top3]);

describe.each(['through the running service', 'on the directory alone'])(
  'baleen purge %s',
  (way) => {
    let upstream: ScriptedUpstream;
    let baleen: Baleen;
    beforeEach(async () => {
      upstream = await ScriptedUpstream.start();
      upstream.add('library/whale', 'v1', v1);
      upstream.add('library/whale', 'v2', v2);
      upstream.add('library/whale', 'also-v2', v2);
      upstream.add('blue/whale', 'v3', cousin);
      baleen = await Baleen.start(dockerHubScripted(upstream));
      await pullImage(baleen, 'library/whale', 'v1', v1);
      await pullImage(baleen, 'library/whale', 'v2', v2);
      await get(`${baleen.url}/v2/library/whale/manifests/also-v2`);
      await pullImage(baleen, 'blue/whale', 'v3', cousin);
      if (way === 'on the directory alone') await baleen.stop();
      upstream.forget();
    });
    afterEach(async () => {
      await baleen[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    });

    const stored = (...contents: readonly Content[]): boolean[] =>
      contents.map(({ digest }) => existsSync(blobPath(baleen, digest)));
    const purge = async (...args: readonly string[]): Promise<PurgeReport> => {
      const { code, stdout, stderr } = await baleen.command('purge', '--json', ...args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return JSON.parse(stdout) as PurgeReport;
    };
    const pulled = async (repository: string, tag: string, image: Image): Promise<number> => {
      if (way === 'on the directory alone') await baleen.start();
      upstream.forget();
      const answers = await pullImage(baleen, repository, tag, image);
      expect(answers.map(({ digest }) => digest)).toEqual(digestsOf(image));
      return upstream.count('manifest-get') + upstream.count('blob-get');
    };

    it('removes an image and what belongs to it alone, and the next pull fetches just that', async () => {
      const [config] = v1.blobs;
      const report = await purge('whale:v1');
      expect(report).toMatchObject({
        dry_run: false,
        tags: ['docker.io/library/whale:v1'],
        missing: [],
      });
      const gone = [v1.manifest, config!, top1];
      expect(report.blobs.map(({ digest }) => digest).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
        gone.map(({ digest }) => digest).toSorted((a, b) => (a < b ? -1 : 1)),
      );
      expect(report.bytes).toBe(gone.reduce((sum, { bytes }) => sum + bytes.length, 0));
      expect(stored(...gone, base, top2, v2.manifest)).toEqual([
        false,
        false,
        false,
        true,
        true,
        true,
      ]);
      expect(await pulled('library/whale', 'v1', v1)).toBe(3);
    });

    it('keeps an image that another tag names', async () => {
      const report = await purge('docker.io/library/whale:v2');
      expect(report).toMatchObject({ tags: ['docker.io/library/whale:v2'], blobs: [], members: 0 });
      expect(stored(v2.manifest, top2)).toEqual([true, true]);
      expect(await pulled('library/whale', 'also-v2', v2)).toBe(0);
    });

    it('removes a repository, but no layer that another one has', async () => {
      const report = await purge('library/whale');
      expect([...report.tags].toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
        ['also-v2', 'v1', 'v2'].map((tag) => `docker.io/library/whale:${tag}`),
      );
      expect(stored(v1.manifest, v2.manifest, top1, top2, base)).toEqual([
        false,
        false,
        false,
        false,
        true,
      ]);
      expect(stored(cousin.manifest, top3)).toEqual([true, true]);
      expect(await pulled('blue/whale', 'v3', cousin)).toBe(0);
      const { repositories } = (await (await fetch(`${baleen.url}/v2/_catalog`)).json()) as {
        repositories: string[];
      };
      expect(repositories).toEqual(['blue/whale']);
    });

    it('leaves what is pinned, unless it is forced to', async () => {
      const pins = new PinRecord(join(baleen.dataDirectory, 'v1'));
      const repository = qualify('docker.io', parseRepositoryName('blue/whale'));
      await pins.add({ repository, reference: parseReference('v3') });
      for (const target of ['blue/whale', 'blue/whale:v3', top3.digest]) {
        const { code, stdout, stderr } = await baleen.command('purge', target);
        expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
        expect(stderr).toContain('is pinned: it goes only by force');
      }
      expect(stored(cousin.manifest, top3)).toEqual([true, true]);
      await purge('--force', 'blue/whale:v3');
      expect(stored(cousin.manifest, top3)).toEqual([false, false]);
      expect(await pins.all()).toHaveLength(1);
      expect((await baleen.command('verify')).code).toBe(0);
    });

    it('removes a layer wherever it is', async () => {
      const report = await purge(base.digest);
      expect(report).toMatchObject({
        members: 2,
        blobs: [{ digest: base.digest, bytes: 100_000 }],
      });
      expect(stored(base, top1, top3)).toEqual([false, true, true]);
      expect(await pulled('blue/whale', 'v3', cousin)).toBe(1);
    });

    it('only tells, when told to, and takes no unknown name for a job done', async () => {
      const report = await purge('--dry-run', 'blue/whale', `library/whale@${v1.manifest.digest}`);
      expect(report).toMatchObject({
        dry_run: true,
        tags: ['docker.io/blue/whale:v3', 'docker.io/library/whale:v1'],
      });
      // The layer that both share goes only with v2, too.
      expect(report.blobs.map(({ digest }) => digest)).not.toContain(base.digest);
      expect(report.blobs).toHaveLength(6);
      expect(stored(v1.manifest, cousin.manifest, top1, top3)).toEqual([true, true, true, true]);

      const mistyped = await baleen.command('purge', 'whail:v1');
      expect(mistyped).toMatchObject({
        code: 1,
        stdout: 'Removed 0 tags, 0 memberships, 0 blobs: 0 B freed.\n',
      });
      expect(mistyped.stderr).toContain('nothing is stored of whail:v1');
      const refused = await baleen.command('purge', 'whale:v1', 'Whale');
      expect([refused.code, refused.stderr]).toEqual([
        1,
        expect.stringContaining('Whale: invalid repository name'),
      ]);
      expect(stored(v1.manifest)).toEqual([true]);
    });
  },
);
