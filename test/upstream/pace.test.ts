import { expect, it } from '@jest/globals';
import { Pace } from '../../src/upstream/pace.ts';

const limits = { minRate: 1000, over: 30_000 };

it('is too slow where less came in a stretch of time than the rate allows', () => {
  const pace = new Pace(limits);
  pace.flows();
  expect(pace.isTooSlow()).toBe(false);
  pace.received(30_000);
  expect(pace.isTooSlow()).toBe(false);
  pace.received(29_999);
  expect(pace.isTooSlow()).toBe(true);
});

it("is not the sender's where the reader made it wait, in all of a stretch or a part", () => {
  const pace = new Pace(limits);
  expect(pace.isTooSlow()).toBe(false);
  expect(pace.isTooSlow()).toBe(false);
  pace.flows();
  expect(pace.isTooSlow()).toBe(false);
  pace.waits();
  pace.flows();
  expect(pace.isTooSlow()).toBe(false);
  expect(pace.isTooSlow()).toBe(true);
});

it('is never too slow where any pace will do', () => {
  const pace = new Pace({ minRate: 0, over: 30_000 });
  pace.flows();
  pace.isTooSlow();
  expect(pace.isTooSlow()).toBe(false);
});
