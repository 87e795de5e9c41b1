import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import type { DiskBlobStore } from '../../src/store/disk-blob-store.ts';
import { startHousekeeping } from '../../src/store/housekeeping.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

it('goes through a store that takes long to go through once at a time', async () => {
  let rounds = 0;
  const ends: (() => void)[] = [];
  const expire = (): Promise<void> => {
    rounds++;
    return new Promise((resolve) => ends.push(resolve));
  };
  const count = Promise.resolve();
  const store = { count: () => count, flush: () => Promise.resolve(), evictor: { expire } };
  const stop = startHousekeeping({
    store: store as unknown as DiskBlobStore,
    spoolTtl: 20_000,
    unusedTtl: undefined,
  });
  await jest.advanceTimersByTimeAsync(60_000);
  expect(rounds).toBe(1);
  ends[0]?.();
  await jest.advanceTimersByTimeAsync(2_000);
  expect(rounds).toBe(2);
  stop();
  ends[1]?.();
  await jest.advanceTimersByTimeAsync(60_000);
  expect(rounds).toBe(2);
});
