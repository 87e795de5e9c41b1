import { expect, it } from '@jest/globals';
import { BufferPool, largeBuffer, smallBuffer } from '../../src/http/buffer-pool.ts';
import { ClientPace } from '../../src/http/client-pace.ts';

const MiB = 1024 * 1024;

it('calls a client swift once it has taken more than the kernel would hide', () => {
  const pace = new ClientPace();
  pace.wrote(3 * MiB, 1);
  expect([pace.isSwift, pace.isSlow]).toEqual([false, false]);
  pace.wrote(MiB, 1);
  expect([pace.isSwift, pace.isSlow]).toEqual([true, false]);
});

it('calls a client slow that lets a write wait, until it has made up for it', () => {
  const pace = new ClientPace();
  pace.wrote(8 * MiB, 1);
  pace.wrote(largeBuffer, 300);
  expect([pace.isSwift, pace.isSlow]).toEqual([false, true]);
  pace.wrote(3 * MiB, 1);
  expect(pace.isSlow).toBe(true);
  pace.wrote(MiB, 1);
  expect([pace.isSwift, pace.isSlow]).toEqual([true, false]);
});

it('gives large buffers within the budget, and small ones beyond it or where none is wanted', () => {
  const pool = new BufferPool(2 * largeBuffer);
  const [first, second, third] = [pool.take(true), pool.take(true), pool.take(true)];
  expect([first, second, third].map(({ length }) => length)).toEqual([
    largeBuffer,
    largeBuffer,
    smallBuffer,
  ]);
  expect(pool.take(false)).toHaveLength(smallBuffer);
  pool.give(first);
  expect(pool.take(true)).toBe(first);
});
