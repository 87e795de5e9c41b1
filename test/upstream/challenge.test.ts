import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { parseChallenges, type Challenge } from '../../src/upstream/challenge.ts';

function plain(header: string | string[]): [string, Record<string, string>, string?][] {
  return parseChallenges(header).map(({ scheme, params, token68 }) =>
    token68 === undefined
      ? [scheme, Object.fromEntries(params)]
      : [scheme, Object.fromEntries(params), token68],
  );
}

describe('parseChallenges', () => {
  it.each<[string, string | string[], ReturnType<typeof plain>]>([
    ['nothing', '', []],
    [
      "Docker Hub's",
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"',
      [
        [
          'bearer',
          {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:library/alpine:pull',
          },
        ],
      ],
    ],
    [
      'several in one line, one without parameters',
      'Negotiate, Basic realm="a, b", Bearer realm="https://t",error="invalid_token"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'a, b' }],
        ['bearer', { realm: 'https://t', error: 'invalid_token' }],
      ],
    ],
    [
      'several lines',
      ['Basic realm=x', 'Bearer realm=y'],
      [
        ['basic', { realm: 'x' }],
        ['bearer', { realm: 'y' }],
      ],
    ],
    [
      'escapes',
      String.raw`Basic realm="a \"b\" \\ c"`,
      [['basic', { realm: String.raw`a "b" \ c` }]],
    ],
    [
      'a token68',
      'NTLM TlRMTVNTUAAC==, Basic realm=x',
      [
        ['ntlm', {}, 'TlRMTVNTUAAC=='],
        ['basic', { realm: 'x' }],
      ],
    ],
    [
      'spaces around the equals sign',
      'Bearer realm = "x" , service= y',
      [['bearer', { realm: 'x', service: 'y' }]],
    ],
    ['names in any case', 'BEARER Realm="x"', [['bearer', { realm: 'x' }]]],
    ['a repeated name: the first counts', 'Basic realm=a, realm=b', [['basic', { realm: 'a' }]]],
    ['missing commas', 'Bearer realm="x" service="y"', [['bearer', { realm: 'x', service: 'y' }]]],
    ['an open quote', 'Bearer realm="x', [['bearer', { realm: 'x' }]]],
    ['an empty value', 'Bearer a=1, b=, c=2', [['bearer', { a: '1', b: '', c: '2' }]]],
    ['parameters of no scheme', 'realm="x", Basic realm=y', [['basic', { realm: 'y' }]]],
    ['rubbish before a challenge', '"?" ;;@ Basic realm=y', [['basic', { realm: 'y' }]]],
  ])('reads %s', (_name, header, expected) => {
    expect(plain(header)).toEqual(expected);
  });

  it('reads no challenge where there is no header', () => {
    expect(parseChallenges(undefined)).toEqual([]);
  });

  it('never throws, and takes no more than a moment', () => {
    const pieces = fc.constantFrom(
      'Bearer',
      ' ',
      ',',
      '=',
      '"',
      '\\',
      'realm',
      'x',
      '==',
      '\t',
      'é',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(pieces, { maxLength: 200 }).map((parts) => parts.join('')),
        ),
        (header) => {
          expect(Array.isArray(parseChallenges(header))).toBe(true);
        },
      ),
    );
    parseChallenges(`Bearer ${'"\\'.repeat(20_000)}`);
    parseChallenges(`Bearer ${'a'.repeat(40_000)} ${'=, '.repeat(10_000)}`);
  });

  it('reads back whatever was written by the rules', () => {
    fc.assert(
      fc.property(fc.array(challenge, { maxLength: 4 }), fc.boolean(), (challenges, oneLine) => {
        const lines = challenges.map(format);
        expect(parseChallenges(oneLine ? lines.join(', ') : lines)).toEqual(challenges);
      }),
    );
  });
});

const tokens = fc
  .string({
    unit: fc.constantFrom(...'a b c x y z 0 1 8 9 - . _ ! #'.split(' ')),
    minLength: 1,
    maxLength: 8,
  })
  .filter((text) => /[a-z]/.test(text));

const challenge: fc.Arbitrary<Challenge> = fc.oneof(
  fc.record({
    scheme: tokens,
    params: fc
      .dictionary(tokens, fc.string({ unit: 'binary-ascii' }), {
        minKeys: 1,
        maxKeys: 4,
        noNullPrototype: true,
      })
      .map((object) => new Map(Object.entries(object))),
    token68: fc.constant(undefined),
  }),
  fc.record({
    scheme: tokens,
    params: fc.constant(new Map<string, string>()),
    token68: fc.option(fc.base64String({ minLength: 4 }), { nil: undefined }),
  }),
);

function format({ scheme, params, token68 }: Challenge): string {
  if (token68 !== undefined) return `${scheme} ${token68}`;
  const list = [...params].map(([name, value]) => {
    return `${name}="${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  });
  return [scheme, list.join(', ')].join(' ').trim();
}
