import { describe, expect, it } from '@jest/globals';
import { Pace } from '../../src/lib/pace.ts';

describe('a pace', () => {
  const { signal } = new AbortController();

  it('lets no more bytes through than its rate, but for a short burst', async () => {
    const pace = new Pace(1_000_000);
    const started = performance.now();
    for (let index = 0; index < 5; index++) await pace.take(100_000, signal);
    // Half a second's worth, of which a quarter is free. Slower is never wrong.
    expect(performance.now() - started).toBeGreaterThan(200);
  });

  it('holds nobody up without a limit, and ends with its signal', async () => {
    await new Pace(Infinity).take(Number.MAX_SAFE_INTEGER, signal);
    const gone = new Error('gone');
    await expect(new Pace(Infinity).take(1, AbortSignal.abort(gone))).rejects.toBe(gone);
    const stopping = new AbortController();
    const taken = new Pace(1).take(1_000_000, stopping.signal);
    stopping.abort(gone);
    await expect(taken).rejects.toBe(gone);
  });

  it('holds back also for longer than a timer can last', async () => {
    const stopping = new AbortController();
    const taken = new Pace(1).take(3_000_000, stopping.signal);
    // A timer that is too long would have come before this one.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const gone = new Error('gone');
    stopping.abort(gone);
    await expect(taken).rejects.toBe(gone);
  });
});
