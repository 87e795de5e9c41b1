import { expect, it } from '@jest/globals';
import { freeMemory } from '../../src/lib/free-memory.ts';

it('frees memory that is all a buffer’s own, and leaves alone what it shares', () => {
  const own = Buffer.from(new ArrayBuffer(65_536));
  freeMemory(own);
  expect([own.length, own.buffer.byteLength]).toEqual([0, 0]);
  const shared = new ArrayBuffer(65_536);
  const part = Buffer.from(shared, 0, 1000);
  freeMemory(part);
  expect([part.length, shared.byteLength]).toEqual([1000, 65_536]);
});
