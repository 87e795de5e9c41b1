import { describe, expect, it, jest } from '@jest/globals';
import type { Baleen } from '../support/baleen.ts';
import { get, type Got } from '../support/http-get.ts';
import { seededImage, type Content } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { baleenBefore } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

const kinds = ['manifest-head', 'manifest-get', 'blob-head', 'blob-get', 'tags', 'ping'] as const;

/** How an upstream is out of service, and how many requests find that out. */
const outages: readonly {
  readonly name: string;
  readonly begin: (upstream: ScriptedUpstream) => Promise<void> | void;
  readonly statuses: readonly number[];
  readonly discovery: number;
}[] = [
  {
    name: 'hangs',
    begin: (upstream) => {
      for (const on of kinds) upstream.fault({ on, before: new Promise(() => undefined) });
    },
    statuses: [503, 504],
    discovery: 1,
  },
  ...[429, 500, 503].map((status) => ({
    name: `answers ${status}`,
    begin: (upstream: ScriptedUpstream): void => {
      for (const on of kinds) upstream.fault({ on, instead: { status } });
    },
    statuses: [status === 429 ? 429 : 503],
    discovery: status === 429 ? 1 : 3,
  })),
  {
    name: 'refuses connections',
    begin: (upstream) => upstream.stop(),
    statuses: [503],
    discovery: 3,
  },
];

describe.each(outages)('while the upstream $name', ({ begin, statuses, discovery }) => {
  const resources = testResources();
  const image = seededImage([1000], 41);
  const layer = image.blobs.at(-1) as Content;
  let upstream: ScriptedUpstream;
  let baleen: Baleen;

  const start = async (breaker: Readonly<Record<string, unknown>>): Promise<void> => {
    upstream = resources.use(await ScriptedUpstream.start());
    for (const tag of ['edge', 'v1']) upstream.add('blue/whale', tag, image);
    baleen = resources.use(await baleenBefore(upstream, { breaker }));
    expect((await cached()).status).toBe(200);
    await begin(upstream);
    upstream.forget();
  };
  const path = (rest: string): string => `${baleen.url}/v2/blue/whale/${rest}`;
  const cached = (): Promise<Got> => get(path('manifests/edge'));
  const sent = (): Promise<number> => baleen.metric('baleen_upstream_requests_total');

  it('what is cached is answered without asking it again, and what is not gets a Retry-After', async () => {
    await start({ first_wait: '10m', longest_wait: '10m' });
    const before = await sent();
    expect((await cached()).status).toBe(200);
    await waitFor('the upstream to be left alone', async () => {
      expect((await cached()).status).toBe(200);
      return (
        (await baleen.metric('baleen_upstream_breaker_open')) +
          (await baleen.metric('baleen_upstream_credential_breaker_open')) >
        0
      );
    });
    const found = await sent();
    expect(found - before).toBeLessThanOrEqual(discovery);
    for (let round = 0; round < 10; round++) {
      const stale = await cached();
      expect([stale.status, stale.digest]).toEqual([200, image.manifest.digest]);
      expect(stale.headers['cache-status']).toContain('fwd=stale');
      for (const missing of ['manifests/v1', `blobs/${layer.digest}`]) {
        const missed = await get(path(missing));
        expect(statuses).toContain(missed.status);
        expect(Number(missed.headers['retry-after'])).toBeGreaterThan(0);
      }
    }
    expect(await sent()).toBe(found);
    expect(upstream.total).toBeLessThanOrEqual(discovery);
  });

  it('one request in each back-off finds out whether it is back, however many ask', async () => {
    const wait = 250;
    await start({ first_wait: `${wait}ms`, longest_wait: `${wait}ms` });
    const before = await sent();
    const began = performance.now();
    await waitFor('some probes', async () => {
      const answers = await Promise.all([
        ...Array.from({ length: 5 }, cached),
        get(path('manifests/v1')),
        get(path(`blobs/${layer.digest}`)),
      ]);
      expect(answers.slice(0, 5).map(({ status }) => status)).toEqual(Array(5).fill(200));
      return (await sent()) - before >= discovery + 3;
    });
    const probes = (await sent()) - before;
    // Those that were under way when it failed first; then one for each wait, which is spread by a fifth.
    const shortest = wait * 0.8;
    const most = 3 + Math.ceil((performance.now() - began) / shortest);
    expect(probes).toBeLessThanOrEqual(most);
  });
});
