import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { parseRateLimit, parseRetryAfter } from '../../src/upstream/rate-limit.ts';

describe('parseRateLimit', () => {
  it("reads Docker Hub's headers", () => {
    const headers = {
      'ratelimit-limit': '100;w=21600',
      'ratelimit-remaining': '20;w=21600',
      'docker-ratelimit-source': '192.0.2.1',
    };
    const expected = { limit: 100, remaining: 20, window: 21_600, source: '192.0.2.1' };
    expect(parseRateLimit(headers)).toEqual(expected);
  });

  it('makes do with part of them', () => {
    const expected = { limit: undefined, remaining: 5, window: undefined, source: undefined };
    expect(parseRateLimit({ 'ratelimit-remaining': '5' })).toEqual(expected);
  });

  it.each([{}, { 'ratelimit-limit': 'many' }, { 'docker-ratelimit-source': 'x' }])(
    'sees no limit in %j',
    (headers) => {
      expect(parseRateLimit(headers)).toBeUndefined();
    },
  );
});

describe('parseRetryAfter', () => {
  const now = Date.parse('2026-11-20T12:00:00Z');
  it.each([
    ['60', 60],
    [' 0 ', 0],
    ['999999999999', 86_400],
    ['Fri, 20 Nov 2026 12:02:00 GMT', 120],
    ['Friday, 20-Nov-26 12:00:30 GMT', 30],
    ['Fri Nov 20 12:00:10 2026', undefined],
    ['Fri, 20 Nov 2026 11:00:00 GMT', 0],
    ['Sat, 20 Nov 2027 12:00:00 GMT', 86_400],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('reads %j as %j', (header, seconds) => {
    const read = parseRetryAfter(header, now);
    // The asctime form has no zone: what it gives depends on the machine, but it is never refused.
    if (header?.startsWith('Fri Nov')) expect(read).toEqual(expect.any(Number));
    else expect(read).toBe(seconds);
  });

  it('gives whole seconds within a day, or nothing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.integer().map(String)), (header) => {
        const seconds = parseRetryAfter(header, now);
        if (seconds === undefined) return;
        expect(Number.isInteger(seconds) && seconds >= 0 && seconds <= 86_400).toBe(true);
      }),
    );
  });
});
