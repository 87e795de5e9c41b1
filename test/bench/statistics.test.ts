import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { highest, pairwise, percentile, present, spread } from '../../bench/statistics.ts';

describe('statistics', () => {
  it('takes the middle value, and the mean of the middle two', () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(spread([])).toBeUndefined();
  });

  it('takes percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 1)).toBe(100);
    expect(percentile([], 0.5)).toBeNaN();
  });

  it('keeps the median between the extremes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const { median, min, max } = spread(values)!;
        expect(min).toBeLessThanOrEqual(median);
        expect(median).toBeLessThanOrEqual(max);
      }),
    );
  });

  it('compares round with round, and leaves out rounds that one side lacks', () => {
    const quotients = pairwise([2, 9, undefined, 8], [1, undefined, 3, 4]);
    expect(quotients).toEqual([2, undefined, undefined, 2]);
    expect(present(quotients)).toEqual([2, 2]);
  });

  it('takes the best peer of each round', () => {
    expect(
      highest([
        [1, 5, undefined],
        [3, 4],
      ]),
    ).toEqual([3, 5, undefined]);
    expect(highest([])).toEqual([]);
  });
});
