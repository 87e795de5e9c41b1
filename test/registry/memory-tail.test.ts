import { randomBytes } from 'node:crypto';
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { blockSize, MemoryTail } from '../../src/registry/memory-tail.ts';

const content = randomBytes(9 * blockSize);

it('gives the newest bytes, block by block, up to the limit', () => {
  const tail = new MemoryTail();
  tail.push(blockSize + 100, content.subarray(0, blockSize + 100));
  expect(tail.view(0, 50)?.equals(content.subarray(0, 50))).toBe(true);
  expect(tail.view(10, blockSize * 2)?.equals(content.subarray(10, blockSize))).toBe(true);
  const rest = tail.view(blockSize, blockSize * 2);
  expect(rest?.equals(content.subarray(blockSize, blockSize + 100))).toBe(true);
  expect(tail.view(blockSize + 100, blockSize * 2)).toBeUndefined();
});

it('forgets what is far behind, and what does not continue', () => {
  const tail = new MemoryTail();
  tail.push(8 * blockSize, content.subarray(0, 8 * blockSize));
  expect(tail.view(0, 8 * blockSize)).toBeUndefined();
  expect(tail.view(7 * blockSize, 8 * blockSize)).toHaveLength(blockSize);
  tail.push(8 * blockSize + 500, content.subarray(8 * blockSize + 400, 8 * blockSize + 500));
  expect(tail.view(7 * blockSize, 9 * blockSize)).toBeUndefined();
  expect(tail.view(8 * blockSize + 399, 9 * blockSize)).toBeUndefined();
  expect(tail.view(8 * blockSize + 400, 9 * blockSize)).toHaveLength(100);
});

it('never gives a wrong byte, however it is fed', () => {
  const steps = fc.array(fc.integer({ min: 1, max: blockSize }), { maxLength: 8 });
  fc.assert(
    fc.property(steps, fc.nat({ max: content.length }), (sizes, position) => {
      const tail = new MemoryTail();
      let end = 0;
      for (const size of sizes) {
        const from = end;
        end = Math.min(content.length, end + size);
        tail.push(end, content.subarray(from, end));
      }
      const view = tail.view(position, end);
      if (view === undefined) return;
      expect(view.length).toBeGreaterThan(0);
      expect(view.equals(content.subarray(position, position + view.length))).toBe(true);
    }),
    { numRuns: 200 },
  );
});
