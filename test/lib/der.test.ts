import { describe, expect, it } from '@jest/globals';
import {
  bitString,
  boolean,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  tagged,
  time,
  utf8String,
  wrapped,
} from '../../src/lib/der.ts';

describe('DER', () => {
  it.each([
    ['true', boolean(true), '0101ff'],
    ['false', boolean(false), '010100'],
    ['zero', integer(Buffer.of(0)), '020100'],
    ['nothing, taken for zero', integer(Buffer.of()), '020100'],
    ['a number in the fewest bytes', integer(Buffer.of(0, 0, 0x7f)), '02017f'],
    ['a number whose first bit would make it negative', integer(Buffer.of(0x80)), '02020080'],
    ['bits', bitString(Buffer.of(0x06), 1), '03020106'],
    ['bytes', octetString(Buffer.of(1, 2)), '04020102'],
    ['an identifier', objectIdentifier('2.5.29.17'), '0603551d11'],
    [
      'an identifier of large numbers',
      objectIdentifier('1.2.840.10045.4.3.2'),
      '06082a8648ce3d040302',
    ],
    ['text', utf8String('é'), '0c02c3a9'],
    ['a sequence', sequence(boolean(true), integer(Buffer.of(5))), '30060101ff020105'],
    ['an empty sequence', sequence(), '3000'],
    ['a set', set(integer(Buffer.of(5))), '3103020105'],
    ['a tagged value', tagged(2, Buffer.from('a')), '820161'],
    ['a wrapped element', wrapped(0, integer(Buffer.of(2))), 'a003020102'],
  ])('writes %s', (_what, bytes, hex) => {
    expect(bytes.toString('hex')).toBe(hex);
  });

  it.each([
    [0x7f, '047f'],
    [0x80, '048180'],
    [0xff, '0481ff'],
    [0x100, '04820100'],
    [0x10000, '0483010000'],
  ])('writes the length of %i bytes', (length, head) => {
    const bytes = octetString(Buffer.alloc(length));
    expect(bytes.subarray(0, head.length / 2).toString('hex')).toBe(head);
    expect(bytes).toHaveLength(head.length / 2 + length);
  });

  it.each([
    ['2026-11-21T18:30:05.999Z', 0x17, '261121183005Z'],
    ['2049-12-31T23:59:59Z', 0x17, '491231235959Z'],
    ['2050-01-01T00:00:00Z', 0x18, '20500101000000Z'],
  ])('writes the time %s', (text, tag, digits) => {
    const bytes = time(new Date(text));
    expect([bytes[0], bytes.subarray(2).toString()]).toEqual([tag, digits]);
  });
});
