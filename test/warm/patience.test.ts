import { beforeEach, describe, expect, it } from '@jest/globals';
import { RegistryError, toRegistryError } from '../../src/oci/errors.ts';
import { Patience } from '../../src/warm/patience.ts';
import { noThrift } from '../../src/upstream/thrift.ts';
import type { WarmWaiting } from '../../src/warm/warm-event.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';

const limited = (retryAfter: number): RegistryError =>
  new RegistryError('TOOMANYREQUESTS', undefined, { retryAfter });
const down = new RegistryError('UPSTREAM_UNAVAILABLE');

describe('the patience of who has time', () => {
  const hub = new FakeUpstream('docker.io');
  let told: WarmWaiting[];
  let patience: Patience;
  let stop: AbortController;
  /** Milliseconds; time passes only where somebody sleeps. */
  let now: number;

  beforeEach(() => {
    now = 0;
    told = [];
    stop = new AbortController();
    const options = { forQuota: 600_000, forOutage: 60_000 };
    const clock = {
      now: () => now,
      sleep: (wait: number) => {
        now += wait;
        return Promise.resolve();
      },
    };
    patience = new Patience(options, (wait) => told.push(wait), stop.signal, clock);
  });

  /** Asks, and is answered so; the last answer stays. Gives what came of it, and the seconds that it took. */
  const ask = async (...answers: readonly (RegistryError | string)[]) => {
    let attempts = 0;
    const started = now;
    const question = (): Promise<string> => {
      const answer = answers[Math.min(attempts++, answers.length - 1)]!;
      return typeof answer === 'string' ? Promise.resolve(answer) : Promise.reject(answer);
    };
    const answer = await patience
      .ask(hub, question)
      .catch((error: unknown) => toRegistryError(error).code);
    return { answer, attempts, seconds: Math.round((now - started) / 1000) };
  };

  it('takes a no for a no', async () => {
    const no = new RegistryError('MANIFEST_UNKNOWN');
    expect(await ask(no)).toMatchObject({ answer: 'MANIFEST_UNKNOWN', attempts: 1 });
    expect(told).toEqual([]);
  });

  it('comes back when it was told to', async () => {
    expect(await ask(limited(30), limited(20), 'yes')).toEqual({
      answer: 'yes',
      attempts: 3,
      seconds: 50,
    });
    expect(told.map(({ seconds, reason }) => [seconds, reason])).toEqual([
      [30, 'rate-limit'],
      [20, 'rate-limit'],
    ]);
  });

  it('ends where it is put off for too long', async () => {
    expect(await ask(limited(601))).toMatchObject({ answer: 'TOOMANYREQUESTS', attempts: 1 });
    expect(await ask(limited(250))).toMatchObject({ attempts: 3, seconds: 500 });
  });

  it('tries one that does not answer again for a minute, and nothing else of it after that', async () => {
    const first = await ask(down);
    expect(first.answer).toBe('UPSTREAM_UNAVAILABLE');
    expect(first.attempts).toBeGreaterThan(3);
    expect(first.seconds).toBeLessThanOrEqual(60);
    now += 60_000;
    expect(await ask(down)).toMatchObject({ attempts: 1, seconds: 0 });
    // An answer counts again.
    expect(await ask('yes')).toMatchObject({ answer: 'yes' });
    expect((await ask(down, 'yes')).answer).toBe('yes');
  });

  it('waits for quota in naps, tells it once, and not where that takes too long', async () => {
    const budget = { stretch: 10, until: 0, remaining: 3 };
    // Of the real clock, as the governor has it.
    const left = [Date.now() + 60_000, Date.now() + 60_000, undefined, Date.now() + 3_600_000];
    Object.defineProperty(hub, 'thrift', {
      get: () => {
        const until = left.shift();
        return until === undefined ? noThrift : { ...budget, until };
      },
    });
    await patience.forBudget(hub);
    expect(now).toBe(10_000);
    expect(told).toMatchObject([{ reason: 'budget', upstream: 'docker.io' }]);
    await expect(patience.forBudget(hub)).rejects.toMatchObject({ code: 'TOOMANYREQUESTS' });
  });

  it('ends with the signal, whatever becomes of the question', async () => {
    const asked = patience.ask(hub, () => new Promise(() => undefined));
    stop.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
  });
});
