import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { parseTokenAnswer } from '../../src/upstream/token-answer.ts';

const now = Date.parse('2026-11-20T12:00:00Z');
const read = (document: unknown) => parseTokenAnswer(Buffer.from(JSON.stringify(document)), now);
const jwt = (payload: object): string =>
  `e30.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.c2ln`;

describe('parseTokenAnswer', () => {
  it.each([
    [
      { token: 'a', access_token: 'b', expires_in: 300 },
      { token: 'a', lifetime: 300_000 },
    ],
    [{ access_token: 'b' }, { token: 'b', lifetime: 60_000 }],
    [
      { token: '', access_token: 'b', expires_in: '90' },
      { token: 'b', lifetime: 90_000 },
    ],
    [
      { token: 'a', expires_in: -1 },
      { token: 'a', lifetime: 60_000 },
    ],
    [
      { token: 'a', expires_in: 1e12 },
      { token: 'a', lifetime: 86_400_000 },
    ],
  ])('reads %j', (document, expected) => {
    expect(read(document)).toEqual(expected);
  });

  it("goes by a JWT's own expiry, and its own clock, where nothing else tells", () => {
    expect(read({ access_token: jwt({ exp: now / 1000 + 240 }) })?.lifetime).toBe(240_000);
    expect(read({ access_token: jwt({ iat: 1000, exp: 4600 }) })?.lifetime).toBe(3_600_000);
    expect(read({ access_token: jwt({ exp: 1 }) })?.lifetime).toBe(60_000);
  });

  it.each([{}, { token: 5 }, { token: 'a\r\nx-evil: 1' }, [], null, 'text'])(
    'finds no token in %j',
    (document) => {
      expect(read(document)).toBeUndefined();
    },
  );

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseTokenAnswer(Buffer.from(text), now)));
    fc.assert(fc.property(fc.string(), (text) => void read({ token: `a.${text}.b` })));
  });
});
