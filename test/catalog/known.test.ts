import { describe, expect, it } from '@jest/globals';
import { anything, assert, integer, property } from 'fast-check';
import {
  later,
  maxClockSkew,
  parseKnown,
  parseListing,
  parseMember,
  parseTag,
  parseTime,
  type Known,
} from '../../src/catalog/known.ts';
import { digest, tagRecord } from '../contract/catalog.ts';

function at(time: number, value?: string): Known<string> {
  return { at: time, value };
}

describe('later', () => {
  it.each([
    ['nothing against nothing', undefined, undefined, undefined],
    ['something against nothing', at(1, 'a'), undefined, at(1, 'a')],
    ['nothing against something', undefined, at(1, 'a'), at(1, 'a')],
    ['the newer value', at(1, 'a'), at(2, 'b'), at(2, 'b')],
    ['one’s own, where both are as late', at(2, 'a'), at(2, 'b'), at(2, 'a')],
    ['a later deletion', at(1, 'a'), at(2), at(2)],
    ['a value later than the deletion', at(3, 'a'), at(2), at(3, 'a')],
  ])('takes %s', (_, mine, other, expected) => {
    expect(later(mine, other)).toEqual(expected);
  });

  it('comes to the same end in whatever order knowledge arrives', () => {
    assert(
      property(integer(), integer(), integer(), (a, b, c) => {
        const [x, y, z] = [at(a), at(b), at(c)];
        expect(later(later(x, y), z)?.at).toBe(later(x, later(z, y))?.at);
      }),
    );
  });
});

describe('parseKnown', () => {
  const now = 1_700_000_000_000;

  it('takes what it wrote', () => {
    const record = tagRecord('a', now);
    expect(parseKnown({ at: now, value: record }, parseTag, now)).toEqual({
      at: now,
      value: record,
    });
    expect(parseKnown({ at: now }, parseTag, now)).toEqual({ at: now, value: undefined });
    const sized = { digest: digest('a'), mediaType: 'x/y', size: 0 };
    expect(parseMember(sized)).toEqual(sized);
    expect(parseMember({ ...sized, size: undefined })).toEqual({
      digest: sized.digest,
      mediaType: 'x/y',
    });
    expect(parseListing({ value: null, fetchedAt: 3 })).toEqual({ value: null, fetchedAt: 3 });
    expect(parseTime(3)).toBe(3);
  });

  it('bears clocks that are a little ahead, not more', () => {
    const soon = { at: now + maxClockSkew };
    const tooSoon = { at: now + maxClockSkew + 1 };
    expect(parseKnown(soon, parseTag, now)).toBeDefined();
    expect(parseKnown(tooSoon, parseTag, now)).toBeUndefined();
  });

  it.each([
    ['no digest', { mediaType: 'x/y', size: 1, checkedAt: 1 }],
    ['a malformed digest', { ...tagRecord('a'), digest: 'sha256:../../etc' }],
    ['no media type', { ...tagRecord('a'), mediaType: undefined }],
    ['a size that is text', { ...tagRecord('a'), size: '1' }],
    ['a size below nothing', { ...tagRecord('a'), size: -1 }],
    ['a time that is none', { ...tagRecord('a'), checkedAt: Number.NaN }],
    ['a list', [tagRecord('a')]],
  ])('takes no tag with %s', (_, value) => {
    expect(parseTag(value)).toBeUndefined();
    expect(parseKnown({ at: 1, value }, parseTag, now)).toBeUndefined();
  });

  it.each([true, false, 0, 'no', null])('takes a member with claimed %j for a claim', (claimed) => {
    const member = { digest: digest('a'), mediaType: 'x/y' };
    expect(parseMember({ ...member, claimed })).toEqual({ ...member, claimed: true });
  });

  it('survives whatever it is given', () => {
    assert(
      property(anything(), (raw) => {
        for (const parse of [parseTag, parseMember, parseListing, parseTime]) {
          const known = parseKnown<unknown>(raw, parse, now);
          expect(known === undefined || typeof known.at === 'number').toBe(true);
          parseKnown<unknown>({ at: 1, value: raw }, parse, now);
        }
      }),
    );
  });
});
