import { describe, expect, it } from '@jest/globals';
import type { TagRecord } from '../../src/catalog/catalog.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { RegistryError, type ErrorCode } from '../../src/oci/errors.ts';
import {
  freshFor,
  isUpstreamFailure,
  onFailedCheck,
  sparedFor,
} from '../../src/registry/freshness.ts';
import { noThrift } from '../../src/upstream/thrift.ts';
import { policy } from '../support/scaffold.ts';

const checkedAt = 1_000_000;
const record: TagRecord = {
  digest: digestOf(Buffer.from('x')),
  mediaType: 'application/json',
  size: 1,
  checkedAt,
};

it('lets a tag be fresh for its time after the last check', () => {
  expect(freshFor(checkedAt, 60_000, checkedAt)).toBe(60_000);
  expect(freshFor(checkedAt, 60_000, checkedAt + 59_999)).toBe(1);
  expect(freshFor(checkedAt, 60_000, checkedAt + 60_000)).toBe(0);
});

it('does not believe a time that lies ahead, as after a clock was set back', () => {
  expect(freshFor(checkedAt, 60_000, checkedAt - 4_000)).toBe(64_000);
  expect(freshFor(checkedAt, 60_000, checkedAt - 3_600_000)).toBe(0);
});

describe('a check that is put off', () => {
  const minute = 60_000;
  const stretched = { stretch: 10, until: checkedAt + 60 * minute, remaining: 5 };
  const suspended = { stretch: Infinity, until: checkedAt + 60 * minute, remaining: 0 };

  it.each([
    ['not at all with plenty of quota', minute, noThrift, 10_000, 2, 0],
    ['ten times as long', minute, stretched, 10_000, 2, 8],
    ['no longer than that', minute, stretched, 10_000, 10, 0],
    ['no longer than the window', 30 * minute, stretched, 10_000, 31, 29],
    ['no longer than it may be stale', minute, stretched, 3, 2, 1],
    ['not at all where it may not be stale', minute, suspended, 0, 2, -2],
    ['until the window has passed where nothing is left', minute, suspended, 10_000, 2, 58],
    ['also where it is checked every time', 0, suspended, 10_000, 2, 58],
    ['not where it is checked every time and a little is left', 0, stretched, 10_000, 2, -2],
    ['not once the window has passed', minute, suspended, 10_000, 60, 0],
  ])('is put off %s', (_case, ttl, thrift, staleMinutes, age, expected) => {
    const spared = sparedFor(
      checkedAt,
      ttl,
      thrift,
      staleMinutes * minute,
      checkedAt + age * minute,
    );
    expect(spared / minute).toBe(expected);
  });

  it('is due where its last one lies ahead, as after a clock was set back', () => {
    expect(sparedFor(checkedAt, minute, suspended, minute, checkedAt - minute)).toBe(0);
  });
});

describe('after a failed check', () => {
  const decide = (code: ErrorCode, age: number, keepDeleted = false): string =>
    onFailedCheck(
      record,
      new RegistryError(code),
      { ...policy, keepDeleted, staleIfError: 1_000 },
      checkedAt + age,
    );

  it.each([
    ['UPSTREAM_UNAVAILABLE', 1_000, 'serve'],
    ['UPSTREAM_UNAVAILABLE', 1_001, 'fail'],
    ['UPSTREAM_TIMEOUT', 0, 'serve'],
    ['UPSTREAM_DENIED', 0, 'serve'],
    ['UPSTREAM_DENIED', 1_001, 'fail'],
    ['UPSTREAM_INVALID', 0, 'serve'],
    ['TOOMANYREQUESTS', 0, 'serve'],
    ['UPSTREAM_OFFLINE', 1_000_000, 'serve'],
    ['MANIFEST_UNKNOWN', 0, 'forget'],
    ['NAME_UNKNOWN', 0, 'forget'],
    ['UNKNOWN', 0, 'fail'],
  ] as const)('%s, %i ms old: %s', (code, age, decision) => {
    expect(decide(code, age)).toBe(decision);
  });

  it('keeps what the upstream deleted, where told to', () => {
    expect(decide('MANIFEST_UNKNOWN', 1_000_000, true)).toBe('serve');
  });
});

it('tells an upstream’s failure from an answer', () => {
  expect(isUpstreamFailure(new RegistryError('UPSTREAM_TIMEOUT'))).toBe(true);
  expect(isUpstreamFailure(new RegistryError('TOOMANYREQUESTS'))).toBe(true);
  expect(isUpstreamFailure(new RegistryError('NAME_UNKNOWN'))).toBe(false);
  expect(isUpstreamFailure(new Error('a bug'))).toBe(false);
});
