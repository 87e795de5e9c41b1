import { describe, expect, it } from '@jest/globals';
import type { TagRecord } from '../../src/catalog/catalog.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { RegistryError, type ErrorCode } from '../../src/oci/errors.ts';
import { freshFor, isUpstreamFailure, onFailedCheck } from '../../src/registry/freshness.ts';
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
