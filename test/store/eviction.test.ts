import { expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import type { StoredBlob } from '../../src/store/blob-walk.ts';
import { excess, OldestFirst, rankOf, reliefOf, unusedBefore } from '../../src/store/eviction.ts';

const policy = { maxSize: 1000, highWatermark: 0.9, lowWatermark: 0.8, unusedTtl: undefined };

it.each([
  ['nothing below the high watermark', 900, 0],
  ['all above the low watermark beyond the high one', 901, 101],
  ['all above the low watermark beyond the limit', 5000, 4200],
])('lets go of %s', (_what, occupied, bytes) => {
  expect(excess(occupied, policy)).toBe(bytes);
});

it('lets go of nothing where there is no limit, and of a twentieth where the disk is full', () => {
  expect(excess(1e15, { ...policy, maxSize: undefined })).toBe(0);
  expect(reliefOf(1000)).toBe(50);
});

it('takes for unused what was used longer ago than it may', () => {
  expect(unusedBefore({ ...policy, unusedTtl: 100 }, 1000)).toBe(900);
  expect(unusedBefore(policy, 1000)).toBeUndefined();
});

it('keeps what is small, as manifests are, a week longer', () => {
  const day = 86_400_000;
  expect(rankOf({ size: 2_000, usedAt: 0 })).toBe(7 * day);
  expect(rankOf({ size: 2_000_000, usedAt: 6 * day })).toBeLessThan(7 * day);
});

it('finds those used longest ago among any number', () => {
  const blobs = Array.from({ length: 1000 }, (_, index): StoredBlob => {
    const usedAt = (index * 7919) % 1000;
    return { digest: digestOf(Buffer.from(String(index))), size: 1, usedAt };
  });
  const oldest = new OldestFirst(10);
  for (let start = 0; start < blobs.length; start += 30) oldest.add(blobs.slice(start, start + 30));
  expect(oldest.take().map(({ usedAt }) => usedAt)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
