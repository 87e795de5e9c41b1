import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { isFull, takeToken, type Bucket } from '../../src/lib/token-bucket.ts';

/** Ten a second, three at once. */
const rate = { perMillisecond: 0.01, burst: 3 };

describe('a token bucket', () => {
  it.each<[string, Bucket | undefined, number, number, number]>([
    ['nobody has seen is full', undefined, 1_000, 2, 0],
    ['gives what it has', { tokens: 1, at: 0 }, 0, 0, 0],
    ['refuses without a token, for as long as one takes', { tokens: 0, at: 0 }, 0, 0, 100],
    ['refuses with a part of one, for the rest of it', { tokens: 0.25, at: 0 }, 0, 0.25, 75],
    ['is refilled by the time', { tokens: 0, at: 0 }, 150, 0.5, 0],
    ['is refilled while it refuses', { tokens: 0, at: 0 }, 50, 0.5, 50],
    ['never holds more than the burst', { tokens: 3, at: 0 }, 1_000_000, 2, 0],
    ['loses nothing where the clock stands still', { tokens: 2, at: 10 }, 5, 1, 0],
    ['holds no more than a burst that has shrunk', { tokens: 100, at: 0 }, 0, 2, 0],
  ])('that %s', (_what, before, now, tokens, wait) => {
    const decision = takeToken(before, rate, now);
    expect(decision.wait).toBeCloseTo(wait, 6);
    expect(decision.bucket.tokens).toBeCloseTo(tokens, 6);
    expect(decision.bucket.at).toBe(now);
  });

  it.each<[Bucket | undefined, number, boolean]>([
    [undefined, 0, true],
    [{ tokens: 0, at: 0 }, 299, false],
    [{ tokens: 0, at: 0 }, 300, true],
  ])('%j is full after %i ms: %s', (bucket, now, full) => {
    expect(isFull(bucket, rate, now)).toBe(full);
  });

  it('lets no more through than its burst and what came in since, however it is asked', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 }), (pauses) => {
        let now = 0;
        let taken = 0;
        let bucket: Bucket | undefined;
        for (const pause of pauses) {
          now += pause;
          const decision = takeToken(bucket, rate, now);
          ({ bucket } = decision);
          if (decision.wait === 0) taken++;
        }
        expect(taken).toBeLessThanOrEqual(rate.burst + now * rate.perMillisecond + 1e-6);
      }),
    );
  });

  it('gives a token to whoever comes back after the wait it told', () => {
    const { bucket, wait } = takeToken({ tokens: 0.3, at: 0 }, rate, 10);
    expect(takeToken(bucket, rate, 10 + wait + 1e-6).wait).toBe(0);
  });
});
