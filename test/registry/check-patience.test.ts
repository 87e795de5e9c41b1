import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { CheckPatience } from '../../src/registry/check-patience.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';

const hour = 3_600_000;
const never = new Promise<string>(() => undefined);

describe('the patience for checks of tags', () => {
  it('is short for an upstream that was too slow once, until it answers', async () => {
    const patience = new CheckPatience();
    const upstream = new FakeUpstream();
    expect(await patience.wait(upstream, never, 10)).toBeUndefined();
    // In full, this would not end before the test's deadline.
    expect(await patience.wait(upstream, never, hour)).toBeUndefined();
    expect(await patience.wait(upstream, Promise.resolve('back'), hour)).toBe('back');
    patience.answered(upstream);
    expect(await patience.wait(upstream, delay(300, 'late'), hour)).toBe('late');
  });

  it('is for each upstream its own', async () => {
    const patience = new CheckPatience();
    await patience.wait(new FakeUpstream('slow'), never, 10);
    const other = new FakeUpstream('other');
    expect(await patience.wait(other, delay(300, 'late'), hour)).toBe('late');
  });

  it('hands on what a check fails with', async () => {
    const failed = Promise.reject(new Error('reset'));
    const waited = new CheckPatience().wait(new FakeUpstream(), failed, hour);
    await expect(waited).rejects.toThrow('reset');
  });
});
