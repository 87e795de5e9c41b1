import { describe, expect, it } from '@jest/globals';
import { tagGlob } from '../../src/warm/tag-glob.ts';

describe('a glob over tags', () => {
  it.each<[pattern: string, fitting: string[], others: string[]]>([
    ['1.2*', ['1.2', '1.27', '1.2-alpine'], ['1.3', '11.2', 'v1.2']],
    ['*-alpine*', ['1-alpine', '1-alpine3.20'], ['alpine', '1-slim']],
    ['**', ['a', '1.27'], []],
    ['v?', ['v1', 'vx'], ['v', 'v12']],
    ['v[0-9]', ['v0', 'v9'], ['va', 'v10', 'v-']],
    ['[!a-c]*', ['d', 'e1'], ['a', 'b2']],
    ['[^a]', ['b'], ['a']],
    ['[a-]', ['a', '-'], ['b']],
    ['{1,2}.x', ['1.x', '2.x'], ['3.x', '1,2.x']],
    ['1{.{2,3}*,}', ['1', '1.2', '1.35'], ['1.4', '1.']],
    ['{1.26,1.27}{,-alpine}', ['1.26', '1.27-alpine'], ['1.26-slim', '-alpine']],
    ['a.b', ['a.b'], ['axb']],
  ])('%s fits what it should', (pattern, fitting, others) => {
    const fits = tagGlob(pattern);
    expect(fitting.filter((tag) => !fits(tag))).toEqual([]);
    expect(others.filter(fits)).toEqual([]);
  });

  it.each(['[a', 'a[', '[]', '{a', '{a,b', 'a{'])('%s fits nothing', (pattern) => {
    const fits = tagGlob(pattern);
    expect(['a', 'b', '1.2', '1.3', pattern].filter(fits)).toEqual([]);
  });

  it.each([
    ['*a'.repeat(100), 'a'.repeat(90)],
    ['{a,a,a}'.repeat(28), `${'a'.repeat(27)}b`],
    ['{*,*}'.repeat(40), 'a'.repeat(128)],
    ['{'.repeat(200), 'a'],
  ])('%s comes to an end, whatever the tag', (pattern, tag) => {
    // A matcher that tries all ways would be at it for years.
    expect(tagGlob(pattern)(tag)).toBe(pattern.startsWith('{*'));
  });
});
