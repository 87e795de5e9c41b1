import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { retryWait } from '../../src/events/backoff.ts';

const backoff = { first: 1_000, longest: 60_000 };

describe('the wait before events are sent again', () => {
  it.each([
    [1, 1, 1_000],
    [2, 1, 2_000],
    [3, 1, 4_000],
    [7, 1, 60_000],
    [1_000_000, 1, 60_000],
    [1, 0, 500],
    [3, 0.5, 3_000],
  ])('is, after %d failures and a throw of %d, %d ms', (failures, random, wait) => {
    expect(retryWait(backoff, failures, random)).toBe(wait);
  });

  it('is what the receiver asks for, up to the longest', () => {
    expect(retryWait(backoff, 1, 0, 30_000)).toBe(30_000);
    expect(retryWait(backoff, 1, 0, 86_400_000)).toBe(60_000);
    expect(retryWait(backoff, 5, 1, 1)).toBe(16_000);
  });

  it('is never nothing and never longer than the longest', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e9 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: 1e12 }),
        (failures, random, asked) => {
          const wait = retryWait(backoff, failures, random, asked);
          expect(wait).toBeGreaterThanOrEqual(500);
          expect(wait).toBeLessThanOrEqual(60_000);
        },
      ),
    );
  });
});
