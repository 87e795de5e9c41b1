import { describe, expect, it } from '@jest/globals';
import { inBatches } from '../../src/lib/batches.ts';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('batches', () => {
  it('give every result in order, and do so many at the same time', async () => {
    let running = 0;
    let most = 0;
    const work = async (item: number): Promise<number> => {
      most = Math.max(most, (running += 1));
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      running -= 1;
      return item * 2;
    };
    expect(await all(inBatches([1, 2, 3, 4, 5], 2, work))).toEqual([2, 4, 6, 8, 10]);
    expect(most).toBe(2);
    expect(await all(inBatches([], 2, work))).toEqual([]);
  });

  it('begin nothing that nobody waits for any more', async () => {
    const begun: number[] = [];
    for await (const item of inBatches([1, 2, 3, 4], 2, async (each) => begun.push(each))) {
      if (item > 0) break;
    }
    expect(begun).toEqual([1, 2]);
  });

  it('fail with the first failure', async () => {
    const work = async (item: number): Promise<void> => {
      if (item === 2) throw new Error('broken');
    };
    await expect(all(inBatches([1, 2, 3], 2, work))).rejects.toThrow('broken');
  });
});
