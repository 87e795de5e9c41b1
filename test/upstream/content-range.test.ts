import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { parseContentLength, parseContentRange } from '../../src/upstream/content-range.ts';

describe('parseContentRange', () => {
  it.each([
    ['bytes 0-99/100', { first: 0, last: 99, size: 100 }],
    ['bytes 5-9/*', { first: 5, last: 9, size: undefined }],
    ['bytes */0', { first: undefined, last: undefined, size: 0 }],
    ['bytes 9-5/100', undefined],
    ['bytes 0-100/100', undefined],
    ['bytes 0-1', undefined],
    ['items 0-1/2', undefined],
    [undefined, undefined],
  ])('reads %j', (header, expected) => {
    expect(parseContentRange(header)).toEqual(expected);
  });

  it('reads back what was written, and never throws', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), (first, more, rest) => {
        const [last, size] = [first + more, first + more + rest + 1];
        expect(parseContentRange(`bytes ${first}-${last}/${size}`)).toEqual({ first, last, size });
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => void [parseContentRange(text), parseContentLength(text)]),
    );
  });
});
