import { beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { describeWith } from '../support/describe-with.ts';
import { seededImage } from '../support/images.ts';
import { RedisServer } from '../support/redis-server.ts';
import { suiteResources } from '../support/resources.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { pullImage } from '../support/stored.ts';
import { waitFor } from '../support/wait-for.ts';

await describeWith('baleen catalog rebuild', ['redis-server'], () => {
  const resources = suiteResources();
  const image = seededImage([5_000, 6_000], 3);
  /** A tag, a manifest, a config and two layers. */
  const entries = 5;
  let redis: RedisServer;
  let baleen: Baleen;

  beforeAll(async () => {
    const upstream = resources.use(await ScriptedUpstream.start());
    upstream.add('blue/whale', 'v1', image);
    redis = resources.use(await RedisServer.start());
    baleen = resources.use(
      await Baleen.start({
        ...dockerHubScripted(upstream),
        catalog: { redis: { url: redis.url } },
      }),
    );
    await pullImage(baleen, 'blue/whale', 'v1', image);
  });
  beforeEach(async () => {
    await redis.flush();
  });

  const keys = async (): Promise<number> => Number((await redis.command('DBSIZE')).slice(1));
  const rebuild = () => baleen.command('catalog', 'rebuild', '--json');

  it.each(['through the running service', 'on the directory alone'])(
    'puts back what is on record, and finds it there the second time, %s',
    async (way) => {
      if (way === 'on the directory alone') await baleen.stop();
      const first = await rebuild();
      expect(first).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(first.stdout)).toMatchObject({
        event: 'result',
        entries,
        restored: entries,
      });
      expect(await keys()).toBeGreaterThanOrEqual(entries);
      expect(JSON.parse((await rebuild()).stdout)).toMatchObject({ entries, restored: 0 });
      if (way === 'on the directory alone') await baleen.start();
    },
  );

  it('tells that Redis cannot be reached', async () => {
    await redis.stop();
    await waitFor('the service to notice', async () => {
      return (await rebuild()).stderr.includes('Redis is out of reach');
    });
    expect(await rebuild()).toMatchObject({ code: 1, stdout: '' });
    await redis.start();
  });

  it('has nothing to do where there is no Redis', async () => {
    baleen.configure({ catalog: {} });
    await baleen.stop();
    await baleen.start();
    const { code, stdout } = await baleen.command('catalog', 'rebuild');
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('No Redis') });
  });
});
