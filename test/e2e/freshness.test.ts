import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Baleen } from '../support/baleen.ts';
import { get, type Got } from '../support/http-get.ts';
import { seededImage } from '../support/images.ts';
import { suiteResources } from '../support/resources.ts';
import { baleenBefore } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

describe('a tag', () => {
  const resources = suiteResources();
  const first = seededImage([100], 21);
  const second = seededImage([100], 22);
  let upstream: ScriptedUpstream;
  let baleen: Baleen;
  const pull = (tag: string): Promise<Got> => get(`${baleen.url}/v2/blue/whale/manifests/${tag}`);

  beforeAll(async () => {
    upstream = resources.use(await ScriptedUpstream.start());
    baleen = resources.use(
      await baleenBefore(upstream, {
        tag_ttl: { second: '1s', 'now-*': '0s', default: '1h' },
      }),
    );
    for (const tag of ['second', 'cold', 'now-moving', 'now-deleted']) {
      upstream.add('blue/whale', tag, first);
    }
  });

  it('costs at most one HEAD for each of its lifetimes, however often it is pulled', async () => {
    const began = performance.now();
    await pull('second');
    await waitFor('three HEADs', async () => {
      await Promise.all([pull('second'), pull('second'), pull('second')]);
      return upstream.count('manifest-head', 'second') >= 3;
    });
    const lifetimes = Math.floor((performance.now() - began) / 1000) + 1;
    expect(upstream.count('manifest-head', 'second')).toBeLessThanOrEqual(lifetimes);
    expect(upstream.count('manifest-get')).toBe(1);
  });

  it('that nobody pulled before is fetched once for a hundred clients at once', async () => {
    upstream.forget();
    upstream.fault({ on: 'manifest-get', times: 1, delay: 300 });
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => pull('cold')));
    expect(outcomes.filter(({ digest }) => digest === first.manifest.digest)).toHaveLength(100);
    expect(upstream.count('manifest-get')).toBe(1);
    expect(upstream.count('manifest-head')).toBeLessThanOrEqual(1);
  });

  it('that moved is followed, and what it pointed to stays to be had by digest', async () => {
    expect((await pull('now-moving')).digest).toBe(first.manifest.digest);
    upstream.add('blue/whale', 'now-moving', second);
    upstream.forget();
    expect((await pull('now-moving')).digest).toBe(second.manifest.digest);
    expect(upstream.server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'HEAD /v2/blue/whale/manifests/now-moving',
      `GET /v2/blue/whale/manifests/${second.manifest.digest}`,
    ]);
    upstream.forget();
    expect((await pull(first.manifest.digest)).status).toBe(200);
    expect(upstream.total).toBe(0);
  });

  it('that the upstream deleted is gone', async () => {
    expect((await pull('now-deleted')).status).toBe(200);
    upstream.repositories.untag('blue/whale', 'now-deleted');
    expect((await pull('now-deleted')).status).toBe(404);
    expect((await pull(first.manifest.digest)).status).toBe(200);
  });
});
