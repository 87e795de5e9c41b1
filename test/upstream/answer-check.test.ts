import { describe, expect, it } from '@jest/globals';
import { readBlobHead, strongEtag } from '../../src/upstream/answer-check.ts';

const head = (status: number, headers: Record<string, string>) => ({
  status,
  headers,
  upstream: 'reef',
  host: 'reef.test',
});

describe('readBlobHead', () => {
  const resume = { offset: 5 };

  it('takes a part that starts where it should', () => {
    const headers = { 'content-range': 'bytes 5-9/10', etag: 'W/"weak"' };
    expect(readBlobHead(head(206, headers), resume)).toEqual({
      size: 10,
      offset: 5,
      length: 5,
      etag: undefined,
    });
  });

  it('expects the rest of the blob although the part ends before', () => {
    const { length } = readBlobHead(head(206, { 'content-range': 'bytes 5-6/10' }), resume);
    expect(length).toBe(5);
  });

  it.each([
    ['a part that starts elsewhere', 206, { 'content-range': 'bytes 4-9/10' }],
    ['a part without saying which', 206, {}],
    ['an HTML page', 200, { 'content-type': 'Text/HTML; charset=utf-8' }],
    ['gzip', 200, { 'content-encoding': 'gzip' }],
  ])('refuses %s', (_what, status, headers: Record<string, string>) => {
    const invalid: unknown = expect.objectContaining({ code: 'UPSTREAM_INVALID' });
    expect(() => readBlobHead(head(status, headers), resume)).toThrow(invalid);
  });

  it('refuses a part that was not asked for', () => {
    const part = head(206, { 'content-range': 'bytes 0-9/10' });
    expect(() => readBlobHead(part, undefined)).toThrow('a part where the whole was asked for');
  });

  it('gives only strong validators on', () => {
    expect(['"a"', 'W/"a"', 'a', '"a"b"', undefined].map(strongEtag)).toEqual([
      '"a"',
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
