import { expect, it } from '@jest/globals';
import { BufferPool, largeBuffer, smallBuffer } from '../../src/lib/buffer-pool.ts';

it('gives large buffers within its budget, and the one given back last first', () => {
  const pool = new BufferPool(2 * largeBuffer + 1);
  const [first, second] = [pool.takeLarge()!, pool.takeLarge()!];
  expect([first.length, second.length]).toEqual([largeBuffer, largeBuffer]);
  expect(pool.takeLarge()).toBeUndefined();
  pool.give(first);
  pool.give(second);
  expect(pool.takeLarge()).toBe(second);
});

it('always has a small one', () => {
  const pool = new BufferPool(0);
  const small = pool.takeSmall();
  expect(small).toHaveLength(smallBuffer);
  pool.give(small);
  expect(pool.takeSmall()).toBe(small);
});
