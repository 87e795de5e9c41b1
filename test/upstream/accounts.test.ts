import { describe, expect, it } from '@jest/globals';
import { RegistryError } from '../../src/oci/errors.ts';
import { Accounts, type Lease } from '../../src/upstream/accounts.ts';
import { defaultBreakerPolicy } from '../../src/upstream/breaker.ts';

const none: ReadonlySet<number> = new Set();

function of(...labels: string[]): Accounts {
  return new Accounts(labels, defaultBreakerPolicy, () => 0.5);
}

function left(remaining: number, window = 3600) {
  return { limit: 100, remaining, window, source: undefined };
}

/** Leave that has to be given. */
function leased(accounts: Accounts, now: number, tried = none): Lease {
  const lease = accounts.admit(now, tried);
  if (lease === undefined || 'wait' in lease) throw new Error(`refused: ${JSON.stringify(lease)}`);
  return lease;
}

function limit(retryAfter?: number): RegistryError {
  return new RegistryError('TOOMANYREQUESTS', undefined, {
    ...(retryAfter !== undefined && { retryAfter }),
  });
}

describe('the credentials of a URL', () => {
  it('are asked with in the order of the file while nothing is known of them', () => {
    const accounts = of('a', 'b', 'c');
    expect(leased(accounts, 0).index).toBe(0);
    expect(leased(accounts, 0, new Set([0])).index).toBe(1);
    expect(accounts.admit(0, new Set([0, 1, 2]))).toBeUndefined();
  });

  it('are asked with by what is left, unknown first, and again by the file once it has lapsed', () => {
    const accounts = of('a', 'b', 'c');
    accounts.heard(0, left(10), 0);
    expect(leased(accounts, 0).index).toBe(1);
    accounts.heard(1, left(30), 0);
    expect(leased(accounts, 0).index).toBe(2);
    accounts.heard(2, left(20, 60), 0);
    expect(leased(accounts, 0).index).toBe(1);
    expect(leased(accounts, 0, new Set([1])).index).toBe(2);
    expect(leased(accounts, 60_000).index).toBe(2);
    expect(leased(accounts, 3_600_000).index).toBe(0);
  });

  it('are left alone one by one, and all of them say when the first is asked with again', () => {
    const accounts = of('a', 'b');
    expect(accounts.limited(leased(accounts, 0), limit(600), 0)).toBe(600_000);
    const second = leased(accounts, 0);
    expect(second.index).toBe(1);
    expect(accounts.limited(second, limit(60), 0)).toBe(60_000);
    expect(accounts.admit(0, none)).toMatchObject({
      wait: 60_000,
      failure: { code: 'TOOMANYREQUESTS' },
    });
    expect(leased(accounts, 60_000).index).toBe(1);
  });

  it.each([1, 2, 5])('find out one at a time, and no more often than one: %d of them', (count) => {
    const accounts = of(...Array.from({ length: count }, (_, index) => `c${index}`));
    for (let index = 0; index < count; index++) {
      accounts.limited(leased(accounts, 0), limit(), 0);
    }
    const probes: number[] = [];
    for (let now = 0; now < 300_000; now += 50) {
      const lease = accounts.admit(now, none);
      if (lease === undefined || 'wait' in lease) continue;
      for (let other = 0; other < 3; other++) {
        expect(accounts.admit(now, new Set([lease.index])) ?? { wait: 1 }).toHaveProperty('wait');
      }
      accounts.limited(lease, limit(), now + 20);
      probes.push(now);
    }
    // 1 s after the first 429, then after 1, 2, 4, 8, 16 and 32 s at least, then each minute.
    expect(probes.length).toBeGreaterThan(6);
    expect(probes.length).toBeLessThanOrEqual(11);
  });

  it('lets another find out where a probe was given up, and all once one has succeeded', () => {
    const accounts = of('a', 'b');
    accounts.limited(leased(accounts, 0), limit(), 0);
    accounts.limited(leased(accounts, 0), limit(), 0);
    const given = leased(accounts, 1000);
    expect(accounts.admit(1000, none)).toHaveProperty('wait');
    accounts.abandoned(given);
    const probe = leased(accounts, 1000);
    expect(accounts.succeeded(probe)).toBe(true);
    expect(leased(accounts, 1000).admission.isProbe).toBe(false);
    expect(leased(accounts, 1000, new Set([0])).index).toBe(1);
  });

  it('are asked with again as soon as a Retry-After is over, whatever was known of the window', () => {
    const accounts = of('a', 'b');
    accounts.heard(0, left(0), 0);
    accounts.heard(1, left(50), 0);
    accounts.limited({ index: 0, admission: { era: 0, isProbe: false } }, limit(30), 0);
    expect(leased(accounts, 29_000).index).toBe(1);
    expect(leased(accounts, 30_000).index).toBe(0);
  });

  it('tell how they stand', () => {
    const accounts = of('whale');
    accounts.heard(0, left(7), 0);
    accounts.limited(leased(accounts, 0), limit(30), 0);
    expect(accounts.status(10_000)).toMatchObject([
      {
        label: 'whale',
        budget: { limit: 100, remaining: 7, window: 3600 },
        breaker: { state: 'open', failures: 1, wait: 20_000, failure: 'TOOMANYREQUESTS' },
      },
    ]);
    expect(accounts.status(30_000)).toMatchObject([
      { budget: undefined, breaker: { state: 'half-open', wait: 0 } },
    ]);
  });
});
