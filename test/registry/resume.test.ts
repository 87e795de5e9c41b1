import { describe, expect, it } from '@jest/globals';
import { RegistryError, type ErrorCode } from '../../src/oci/errors.ts';
import { fits, isProgress, pauseAfter, refusesRange } from '../../src/registry/resume.ts';

const failed = (code: ErrorCode, upstreamStatus?: number, retryAfter?: number): RegistryError =>
  new RegistryError(code, undefined, {
    ...(upstreamStatus === undefined ? {} : { upstreamStatus }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });

describe('a transfer that broke', () => {
  it.each([
    ['a broken connection', failed('UPSTREAM_UNAVAILABLE'), 1, 100],
    ['a broken connection, again', failed('UPSTREAM_UNAVAILABLE'), 4, 800],
    ['a broken connection, many times', failed('UPSTREAM_TIMEOUT'), 20, 5_000],
    ['a quota that says when', failed('TOOMANYREQUESTS', 429, 7), 1, 7_000],
    ['a page of a captive portal', failed('UPSTREAM_INVALID'), 1, 100],
    ['a CDN that refuses the range', failed('UPSTREAM_DENIED', 403), 1, 100],
    ['a blob that is gone', failed('BLOB_UNKNOWN', 404), 1, undefined],
    ['access that was lost', failed('UPSTREAM_DENIED', 401), 1, undefined],
    ['a failure of our own', new Error('disk'), 1, undefined],
  ])('after %s (%#) is taken up again in time, or not', (_what, error, failures, pause) => {
    expect(pauseAfter(error, failures)).toBe(pause);
  });

  it.each([
    [failed('UPSTREAM_INVALID', 416), true],
    [failed('UPSTREAM_UNAVAILABLE', 501), true],
    [failed('UPSTREAM_DENIED', 403), true],
    [failed('UPSTREAM_UNAVAILABLE'), false],
    [failed('BLOB_UNKNOWN', 404), false],
    [failed('TOOMANYREQUESTS', 429), false],
    [new Error('a bug'), false],
  ])('may be asked for whole where the range is what was refused (%#)', (error, expected) => {
    expect(refusesRange(error)).toBe(expected);
  });

  it.each([
    [failed('UPSTREAM_UNAVAILABLE'), 0, false],
    [failed('UPSTREAM_UNAVAILABLE'), 1, true],
    [failed('UPSTREAM_TIMEOUT'), 1_000, false],
    [failed('UPSTREAM_TIMEOUT'), 100_000, true],
    [new Error('a bug'), 1, true],
  ])('got further where it brought bytes, but not by a trickle (%#)', (error, gained, expected) => {
    expect(isProgress(gained, error)).toBe(expected);
  });

  it('fits only an answer of the same size, and of no fewer bytes than are there', () => {
    expect(fits(10, 10, 5)).toBe(true);
    expect(fits(10, undefined, 10)).toBe(true);
    expect(fits(11, 10, 5)).toBe(false);
    expect(fits(4, undefined, 5)).toBe(false);
  });
});
