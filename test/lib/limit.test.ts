import { describe, expect, it } from '@jest/globals';
import { Limit } from '../../src/lib/limit.ts';

describe('a limit', () => {
  it('lets so much be under way at a time, in the order of arrival, also after failures', async () => {
    const limit = new Limit(2);
    const begun: number[] = [];
    let running = 0;
    let most = 0;
    const work = (nth: number) => async (): Promise<number> => {
      begun.push(nth);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      if (nth % 3 === 0) throw new Error(`no ${nth}`);
      return nth;
    };
    const all = await Promise.allSettled(
      Array.from({ length: 7 }, (_, nth) => limit.run(work(nth))),
    );
    expect(all.map(({ status }) => status === 'fulfilled')).toEqual([
      false,
      true,
      true,
      false,
      true,
      true,
      false,
    ]);
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(most).toBe(2);
    expect(await limit.run(() => Promise.resolve('still'))).toBe('still');
  });

  it('begins nothing any more for a signal that came while it waited', async () => {
    const limit = new Limit(1);
    const first = Promise.withResolvers<void>();
    const running = limit.run(() => first.promise);
    const stop = new AbortController();
    let hasBegun = false;
    const waiting = limit.run(() => Promise.resolve((hasBegun = true)), stop.signal);
    stop.abort(new Error('stopped'));
    first.resolve();
    await running;
    await expect(waiting).rejects.toThrow('stopped');
    expect(hasBegun).toBe(false);
    expect(await limit.run(() => Promise.resolve('still'))).toBe('still');
  });
});
