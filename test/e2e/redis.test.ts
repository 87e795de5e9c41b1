import { beforeAll, expect, it } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { Skopeo } from '../support/clients/skopeo.ts';
import { describeWith } from '../support/describe-with.ts';
import { DockerRegistry } from '../support/docker-registry.ts';
import { dockerHubAt } from '../support/pull-suite.ts';
import { RedisServer } from '../support/redis-server.ts';
import { suiteResources } from '../support/resources.ts';
import { runnableImage } from '../support/runnable-image.ts';
import { waitFor } from '../support/wait-for.ts';

await describeWith(
  'Baleen with a real Redis',
  ['redis-server', 'skopeo', 'docker-registry', 'htpasswd', 'busybox'],
  () => {
    const resources = suiteResources();
    const image = runnableImage(6);
    let registry: DockerRegistry;
    let redis: RedisServer;
    let baleen: Baleen;
    let skopeo: Skopeo;

    beforeAll(async () => {
      registry = resources.use(await DockerRegistry.start());
      await registry.push('library/runnable', '1.0', image);
      await registry.push('library/runnable', 'edge', image);
      redis = resources.use(await RedisServer.start());
      baleen = resources.use(
        await Baleen.start({ ...dockerHubAt(registry), catalog: { redis: { url: redis.url } } }),
      );
      skopeo = resources.use(await Skopeo.start(baleen.host));
    });

    const pulls = async (): Promise<void> => {
      for (const reference of [':1.0', ':edge', `@${image.manifest.digest}`]) {
        // One after the other, as a person would.
        expect(await skopeo.pull('library/runnable', reference)).toBe(image.manifest.digest);
      }
    };
    const pullsWithoutBlobs = async (): Promise<void> => {
      registry.traffic.forget();
      await pulls();
      expect(registry.traffic.lines.filter((line) => !line.startsWith('HEAD '))).toEqual([]);
    };

    it('pulls, and puts what it learns into Redis', async () => {
      await pulls();
      expect(Number((await redis.command('DBSIZE')).slice(1))).toBeGreaterThan(0);
    });

    it('pulls from the cache when Redis was flushed', async () => {
      await redis.flush();
      await pullsWithoutBlobs();
    });

    it('pulls from the cache while Redis hangs, and after', async () => {
      redis.pause();
      await pullsWithoutBlobs();
      redis.resume();
      await pullsWithoutBlobs();
    });

    it('pulls from the cache while Redis is gone, and after it came back', async () => {
      await redis.stop();
      await pullsWithoutBlobs();
      await redis.start();
      await pullsWithoutBlobs();
      await waitFor('Redis to be used again', async () => {
        await pulls();
        return Number((await redis.command('DBSIZE')).slice(1)) > 0;
      });
    });

    it('shares with a second Baleen on other disks what the tags point to', async () => {
      const second = resources.use(
        await Baleen.start({ ...dockerHubAt(registry), catalog: { redis: { url: redis.url } } }),
      );
      const other = resources.use(await Skopeo.start(second.host));
      expect(await other.pull('library/runnable', ':1.0')).toBe(image.manifest.digest);
    });

    it('serves everything cached after a restart with neither Redis nor upstream', async () => {
      await Promise.all([redis.stop(), registry.stop()]);
      await baleen.stop();
      await baleen.start();
      await pulls();
    });
  },
);
