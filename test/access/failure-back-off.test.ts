import { describe, expect, it } from '@jest/globals';
import { attempt, FailureBackOff, type Failures } from '../../src/access/failure-back-off.ts';

const policy = { allowed: 3, firstWait: 1_000, longestWait: 8_000 };

describe('the back-off after failed logins', () => {
  it('lets a few through at once, and then makes each wait twice as long as the last, to a limit', () => {
    let failures: Failures | undefined;
    let now = 0;
    const pauses: number[] = [];
    for (let tries = 0; tries < 9; tries++) {
      const next = attempt(failures, policy, now);
      expect(next.wait).toBe(0);
      failures = next.failures;
      pauses.push(failures.until - now);
      now = failures.until;
    }
    expect(pauses).toEqual([0, 0, 0, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
  });

  it('counts no try that it does not let through, and says how long it has to wait', () => {
    const failures = { count: 4, until: 5_000 };
    expect(attempt(failures, policy, 4_000)).toEqual({ failures, wait: 1_000 });
    expect(attempt(failures, policy, 5_000).wait).toBe(0);
  });

  it('forgets all after a quiet time', () => {
    const failures = { count: 50, until: 5_000 };
    expect(attempt(failures, policy, 12_999).failures.count).toBe(51);
    expect(attempt(failures, policy, 13_000).failures.count).toBe(1);
  });

  it('counts by account and by client, and forgives who was right', () => {
    const backOff = new FailureBackOff({ ...policy, allowed: 1 }, () => 0);
    expect([backOff.attempt('alice', 'a'), backOff.attempt('alice', 'a')]).toEqual([0, 0]);
    expect(backOff.attempt('alice', 'a')).toBe(1_000);
    expect(backOff.attempt('alice', 'b')).toBe(0);
    expect(backOff.attempt('bob', 'a')).toBe(0);
    backOff.succeeded('alice', 'a');
    expect(backOff.attempt('alice', 'a')).toBe(0);
  });
});
