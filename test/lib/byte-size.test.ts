import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { describeByteSize, formatByteSize, parseByteSize } from '../../src/lib/byte-size.ts';

describe('byte sizes', () => {
  it.each([
    ['0', 0],
    ['4096', 4096],
    ['512KiB', 524_288],
    ['10MB', 10_000_000],
    ['50GiB', 53_687_091_200],
    ['1.5 MiB', 1_572_864],
    ['2tib', 2_199_023_255_552],
    ['1.5B', 2],
    [' 7 kb ', 7000],
  ])('reads %s as %d bytes', (text, bytes) => {
    expect(parseByteSize(text)).toBe(bytes);
  });

  it.each(['', 'GiB', '-1', '10G', '10 XB', '1e9', '0x10', '1.GiB', '.5GiB', '1,5GiB', '9999PiB'])(
    'refuses %j',
    (text) => {
      expect(parseByteSize(text)).toBeUndefined();
    },
  );

  it('reads back exactly what it wrote, for every whole number of bytes', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(parseByteSize(formatByteSize(bytes))).toBe(bytes);
      }),
    );
  });

  it('never throws, and gives whole bytes or nothing', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const bytes = parseByteSize(text);
        expect(bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= 0)).toBe(true);
      }),
    );
  });

  it.each([
    [12, '12 B'],
    [1024, '1 KiB'],
    [1_567_000_000, '1.46 GiB'],
    [2 ** 50, '1 PiB'],
  ])('describes %d as %s', (bytes, text) => {
    expect(describeByteSize(bytes)).toBe(text);
  });
});
