import { describe, expect, it } from '@jest/globals';
import { budgetOf, known, limitedFor, remainingOf } from '../../src/upstream/budget.ts';
import { thriftOf, type Floor } from '../../src/upstream/thrift.ts';

const quota = { limit: 100, remaining: 20, window: 60, source: '192.0.2.1' };

describe('a budget', () => {
  it('is known until its window has passed, and plenty from then on', () => {
    const budget = budgetOf(quota, 1000);
    expect(budget).toEqual({ ...quota, seenAt: 1000, until: 61_000 });
    expect(remainingOf(budget, 60_999)).toBe(20);
    expect(known(budget, 61_000)).toBeUndefined();
    expect(remainingOf(budget, 61_000)).toBe(Infinity);
    expect(remainingOf(undefined, 0)).toBe(Infinity);
  });

  it('lapses after an hour where the registry keeps its window to itself, and after a day at most', () => {
    expect(budgetOf({ ...quota, window: undefined }, 0).until).toBe(3_600_000);
    expect(budgetOf({ ...quota, window: 1e12 }, 0).until).toBe(86_400_000);
  });

  it('lapses sooner where a 429 says when to come back, and never later', () => {
    expect(limitedFor(budgetOf(quota, 0), 10, 5000).until).toBe(15_000);
    expect(limitedFor(budgetOf(quota, 0), 600, 5000).until).toBe(60_000);
  });
});

describe('thrift', () => {
  const tenth: Floor = { share: 0.1 };
  const of = (remaining: number | undefined, limit: number | undefined = 100, window = 60) =>
    budgetOf({ limit, remaining, window, source: undefined }, 0);

  it.each([
    ['nothing is known', [undefined], tenth, 1],
    ['plenty is left', [of(10)], tenth, 1],
    ['less than the share is left', [of(9)], tenth, 10],
    ['less than the count is left', [of(19)], { count: 20 }, 10],
    ['the count is left', [of(20)], { count: 20 }, 1],
    ['nothing is left', [of(0)], tenth, Infinity],
    ['nothing is left, and there is no floor', [of(0)], { count: 0 }, Infinity],
    ['little is left, and there is no floor', [of(1)], { count: 0 }, 1],
    ['the limit of a share is not known', [{ ...of(1), limit: undefined }], tenth, 1],
    ['one of several has plenty', [of(0), of(50), of(3)], tenth, 1],
    ['one of several is unknown', [of(0), undefined], tenth, 1],
    ['one of several tells only its limit', [of(0), of(undefined)], tenth, 1],
    ['the best of several is under the floor', [of(0), of(9), of(3)], tenth, 10],
    ['the best has a larger limit', [of(9, 50), of(19, 200)], tenth, 10],
    ['all are spent', [of(0), of(0)], tenth, Infinity],
    ['there is none', [], tenth, 1],
  ] as const)('where %s', (_case, budgets, floor, stretch) => {
    expect(thriftOf(budgets, { floor, stretch: 10 }, 0).stretch).toBe(stretch);
  });

  it('lasts until the first budget is unknown again', () => {
    const policy = { floor: tenth, stretch: 10 };
    const budgets = [of(3, 100, 60), of(5, 100, 90)];
    expect(thriftOf(budgets, policy, 1000)).toEqual({ stretch: 10, until: 60_000, remaining: 5 });
    expect(thriftOf(budgets, policy, 60_000).stretch).toBe(1);
  });
});
