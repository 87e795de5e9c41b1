import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import type { Baleen } from '../support/baleen.ts';
import { get, startGet } from '../support/http-get.ts';
import { layerOf, seededImage, type Content } from '../support/images.ts';
import { suiteResources } from '../support/resources.ts';
import { baleenBefore } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(120_000);

const MiB = 1024 * 1024;

describe('one cold blob and many clients', () => {
  const resources = suiteResources();
  let upstream: ScriptedUpstream;
  let baleen: Baleen;

  beforeAll(async () => {
    upstream = resources.use(await ScriptedUpstream.start({ rate: 8 * MiB }));
    upstream.add('blue/whale', 'v1', seededImage([1000], 1));
    baleen = resources.use(await baleenBefore(upstream, { timeouts: { idle: '30s' } }));
  });

  /** Adds a blob that nobody has asked for yet. */
  const coldBlob = (size: number, seed: number): { blob: Content; url: string } => {
    const blob = layerOf(size, seed);
    upstream.repositories.addBlob('blue/whale', blob);
    return { blob, url: `${baleen.url}/v2/blue/whale/blobs/${blob.digest}` };
  };
  const range = (digest: string, nth: number): string =>
    upstream.requests('blob-get', digest)[nth]?.headers.range ?? '';

  it('costs one upstream transfer for a hundred clients, all of which get it right', async () => {
    const { blob, url } = coldBlob(16 * MiB, 1);
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => get(url)));
    expect(outcomes.filter(({ complete }) => complete)).toHaveLength(100);
    expect(new Set(outcomes.map(({ digest }) => digest))).toEqual(new Set([blob.digest]));
    expect(upstream.count('blob-get', blob.digest)).toBe(1);
  });

  it('reaches 99 clients although the first leaves at 10 % and the upstream breaks at 60 %', async () => {
    const { blob, url } = coldBlob(16 * MiB, 2);
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
    const tenth = Math.floor(blob.bytes.length / 10);
    upstream.fault({
      on: 'blob-get',
      when: (seen) => seen.url.includes(blob.digest),
      times: 1,
      holdAt: { bytes: tenth, until },
      truncateAt: Math.floor(blob.bytes.length * 0.6),
    });
    const first = startGet(url);
    await waitFor('the first client to get something', () => first.received() > 0);
    const others = Array.from({ length: 99 }, () => startGet(url));
    first.abort();
    goOn();
    const outcomes = await Promise.all(others.map(({ outcome }) => outcome));
    expect(outcomes.filter(({ complete }) => complete)).toHaveLength(99);
    expect(new Set(outcomes.map(({ digest }) => digest))).toEqual(new Set([blob.digest]));
    expect(upstream.count('blob-get', blob.digest)).toBe(2);
    expect(range(blob.digest, 1)).toMatch(/^bytes=[1-9]\d*-/);
    expect(upstream.requests('blob-get', blob.digest)[1]?.headers['if-range']).toBeDefined();
  });

  it('is fetched to its end when its only client leaves', async () => {
    const { blob, url } = coldBlob(4 * MiB, 3);
    const alone = startGet(url);
    await waitFor('the client to get something', () => alone.received() > 0);
    alone.abort();
    await waitFor('the blob to be cached', async () => {
      const { headers } = await get(url, { range: 'bytes=0-0' });
      return String(headers['cache-status']).includes('hit');
    });
    expect((await get(url)).digest).toBe(blob.digest);
    expect(upstream.count('blob-get', blob.digest)).toBe(1);
  });

  it('answers ranges while it is on its way, without asking upstream for each', async () => {
    const { blob, url } = coldBlob(4 * MiB, 7);
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
    const when = (seen: { url: string }): boolean => seen.url.includes(blob.digest);
    upstream.fault({ on: 'blob-get', when, times: 1, holdAt: { bytes: 2 * MiB, until } });
    const whole = startGet(url);
    await waitFor('half of the blob', () => whole.received() > MiB);
    const part = await get(url, { range: 'bytes=1000-500999' });
    expect([part.status, part.digest]).toEqual([206, digestOf(blob.bytes.subarray(1000, 501_000))]);
    for (let start = 0; start < 10; start += 1) {
      const open = startGet(url, { range: `bytes=${start * 100_000}-` });
      // Each is aborted as soon as it has begun, as containerd does.
      await waitFor('the range to begin', () => open.received() > 0);
      open.abort();
    }
    expect(upstream.count('blob-get', blob.digest)).toBe(1);
    goOn();
    const outcome = await whole.outcome;
    expect([outcome.complete, outcome.digest]).toEqual([true, blob.digest]);
    expect(upstream.count('blob-get', blob.digest)).toBe(1);
  });

  it('answers a range ahead of what has come, and is right all the same', async () => {
    const { blob, url } = coldBlob(4 * MiB, 8);
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
    const when = (seen: { url: string }): boolean => seen.url.includes(blob.digest);
    upstream.fault({ on: 'blob-get', when, times: 1, holdAt: { bytes: MiB, until } });
    const whole = startGet(url);
    await waitFor('the blob to be on its way', () => whole.received() > 0);
    const ahead = get(url, { range: 'bytes=-1000' });
    goOn();
    const { status, digest } = await ahead;
    expect([status, digest]).toEqual([206, digestOf(blob.bytes.subarray(-1000))]);
    expect((await whole.outcome).digest).toBe(blob.digest);
    expect((await get(url)).digest).toBe(blob.digest);
  });

  it('is never seen complete with a flipped bit, and is right on the next request', async () => {
    const { blob, url } = coldBlob(2 * MiB, 4);
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
    upstream.fault({
      on: 'blob-get',
      when: (seen) => seen.url.includes(blob.digest),
      times: 1,
      flipBitAt: MiB,
      holdAt: { bytes: 100_000, until },
    });
    const clients = Array.from({ length: 10 }, () => startGet(url));
    await waitFor('a client to get something', () => clients.some((each) => each.received() > 0));
    goOn();
    const outcomes = await Promise.all(clients.map(({ outcome }) => outcome));
    for (const { complete, status, digest } of outcomes) {
      expect(complete && status === 200 && digest !== blob.digest).toBe(false);
    }
    expect(outcomes.some(({ received }) => received > 0)).toBe(true);
    const next = await get(url);
    expect([next.status, next.complete, next.digest]).toEqual([200, true, blob.digest]);
  });

  it.each([
    ['longer than its body', { declaredLength: 3 * MiB }],
    ['shorter than its body', { declaredLength: MiB }],
    ['unknown', { chunked: true }],
  ])('is right or broken, never wrong, when its declared length is %s', async (name, fault) => {
    const { blob, url } = coldBlob(2 * MiB, name.length + 100);
    const when = (seen: { url: string }): boolean => seen.url.includes(blob.digest);
    upstream.fault({ on: 'blob-get', when, times: 1, ...fault });
    // What an upstream sends beyond its declared length may yet spoil a request that follows on the
    // same connection; so it is the recovery that counts, not its first try.
    const taken: string[] = [];
    await waitFor('the right blob', async () => {
      const { status, complete, digest } = await get(url);
      if (complete && status === 200) taken.push(digest);
      return taken.length > 0;
    });
    expect(taken).toEqual([blob.digest]);
  });

  it('is resumed after an upstream that ignores the range', async () => {
    const { blob, url } = coldBlob(2 * MiB, 6);
    const when = (seen: { url: string }): boolean => seen.url.includes(blob.digest);
    upstream.fault({ on: 'blob-get', when, times: 1, truncateAt: MiB });
    upstream.fault({ on: 'blob-get', when, ignoreRange: true });
    const outcome = await get(url);
    expect([outcome.complete, outcome.digest]).toEqual([true, blob.digest]);
  });
});
