import { describe, expect, it } from '@jest/globals';
import { RegistryError, type ErrorCode } from '../../src/oci/errors.ts';
import { Breaker, defaultBreakerPolicy, type Admission } from '../../src/upstream/breaker.ts';

const middle = (): number => 0.5;

function failure(code: ErrorCode = 'UPSTREAM_UNAVAILABLE', retryAfter?: number): RegistryError {
  return new RegistryError(code, undefined, retryAfter === undefined ? {} : { retryAfter });
}

function breakerAt(random = middle): Breaker {
  return new Breaker(defaultBreakerPolicy, random);
}

/** Leave that has to be given. */
function admitted(breaker: Breaker, now: number): Admission {
  const leave = breaker.admit(now);
  if ('wait' in leave) throw new Error(`refused for ${leave.wait} ms`);
  return leave;
}

function fail(breaker: Breaker, now: number, error = failure()): number | undefined {
  return breaker.failed(admitted(breaker, now), error, now);
}

describe('a breaker', () => {
  it('bears failures that are not in a row', () => {
    const breaker = breakerAt();
    for (let round = 0; round < 10; round++) {
      expect(fail(breaker, 0)).toBeUndefined();
      expect(fail(breaker, 0)).toBeUndefined();
      expect(breaker.succeeded(admitted(breaker, 0))).toBe(false);
    }
    expect(breaker.isOpen).toBe(false);
  });

  it('opens at the third failure in a row', () => {
    const breaker = breakerAt();
    fail(breaker, 0);
    fail(breaker, 0);
    expect(fail(breaker, 100)).toBe(1000);
    expect(breaker.admit(600)).toMatchObject({ wait: 500 });
  });

  it.each(['TOOMANYREQUESTS', 'UPSTREAM_TIMEOUT'] as const)('opens at once for %s', (code) => {
    const breaker = breakerAt();
    expect(fail(breaker, 0, failure(code))).toBe(1000);
    expect(breaker.admit(0)).toMatchObject({ failure: { code }, wait: 1000 });
  });

  it('waits as long as it is told to, within reason', () => {
    expect(fail(breakerAt(), 0, failure('TOOMANYREQUESTS', 120))).toBe(120_000);
    expect(fail(breakerAt(), 0, failure('TOOMANYREQUESTS', 86_400))).toBe(3_600_000);
    expect(fail(breakerAt(), 0, failure('TOOMANYREQUESTS', 0))).toBe(1000);
  });

  it('lets one request find out, and waits twice as long where it fails, up to a minute', () => {
    const breaker = breakerAt();
    let now = 0;
    let wait = fail(breaker, now, failure('UPSTREAM_TIMEOUT'));
    const waits = [wait];
    for (let round = 0; round < 7; round++) {
      now += wait ?? 0;
      const probe = admitted(breaker, now);
      for (let other = 0; other < 5; other++) expect(breaker.admit(now)).toHaveProperty('wait');
      wait = breaker.failed(probe, failure(), now);
      waits.push(wait);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  });

  it('spreads its waits by a fifth either way', () => {
    expect(
      fail(
        breakerAt(() => 0),
        0,
        failure('UPSTREAM_TIMEOUT'),
      ),
    ).toBe(800);
    expect(
      fail(
        breakerAt(() => 1),
        0,
        failure('UPSTREAM_TIMEOUT'),
      ),
    ).toBe(1200);
  });

  it('closes when the probe succeeds, and begins anew', () => {
    const breaker = breakerAt();
    fail(breaker, 0, failure('UPSTREAM_TIMEOUT'));
    expect(breaker.succeeded(admitted(breaker, 1000))).toBe(true);
    expect(breaker.isOpen).toBe(false);
    expect(fail(breaker, 2000, failure('UPSTREAM_TIMEOUT'))).toBe(1000);
  });

  it('lets another find out where the probe was given up', () => {
    const breaker = breakerAt();
    fail(breaker, 0, failure('UPSTREAM_TIMEOUT'));
    breaker.abandoned(admitted(breaker, 1000));
    expect(breaker.admit(1000)).not.toHaveProperty('wait');
  });

  it('hears nothing new from requests of before', () => {
    const breaker = breakerAt();
    const old = [1, 2, 3, 4].map(() => admitted(breaker, 0));
    const [first, second, third, last] = old;
    for (const each of [first, second, third]) breaker.failed(each!, failure(), 0);
    expect(breaker.isOpen).toBe(true);
    expect(breaker.failed(last!, failure(), 0)).toBeUndefined();
    const probe = admitted(breaker, 1000);
    expect(breaker.succeeded(last!)).toBe(false);
    breaker.abandoned(last!);
    expect(breaker.admit(1000)).toHaveProperty('wait');
    expect(breaker.succeeded(probe)).toBe(true);
  });
});
