import { describe, expect, it } from '@jest/globals';
import { faultKinds, laneOf, scheduleOf } from './schedule.ts';

const minute = 60_000;

describe('the schedule of faults', () => {
  it('is the same for the same seed', () => {
    expect(scheduleOf(7, minute)).toEqual(scheduleOf(7, minute));
  });

  it('is another for another seed', () => {
    const first = scheduleOf(7, minute).map(({ kind }) => kind);
    expect(scheduleOf(8, minute).map(({ kind }) => kind)).not.toEqual(first);
  });

  it.each([1, 2, 3, 4, 5])('has every kind of fault within a minute: seed %d', (seed) => {
    const kinds = new Set(scheduleOf(seed, minute).map(({ kind }) => kind));
    expect([...kinds].toSorted()).toEqual(faultKinds.toSorted());
  });

  it('never has two faults of one lane at once', () => {
    const until = new Map<string, number>();
    for (const { at, kind, lasts } of scheduleOf(3, 10 * minute)) {
      const lane = laneOf(kind);
      if (lane === undefined) continue;
      expect(until.get(lane) ?? 0).toBeLessThanOrEqual(at);
      until.set(lane, at + lasts);
    }
  });

  it('leaves the end of the run to what has begun', () => {
    expect(scheduleOf(1, minute).at(-1)?.at).toBeLessThan(minute - 1_000);
  });
});
