import { describe, expect, it } from '@jest/globals';
import { nextHop } from '../../src/upstream/redirect.ts';

describe('nextHop', () => {
  const from = new URL('https://reef.test/v2/a/blobs/x?y');
  it('takes a location as relative', () => {
    expect(nextHop(from, '../z#part').href).toBe('https://reef.test/v2/a/z');
    expect(nextHop(from, '//cdn.test/b?sig=1').href).toBe('https://cdn.test/b?sig=1');
  });

  it.each([
    undefined,
    'http://reef.test/',
    'ftp://reef.test/',
    'https://u:p@reef.test/',
    'http://[',
  ])('refuses %j', (location) => {
    expect(() => nextHop(from, location)).toThrow(/its redirect/);
  });

  it('leads from http to http and https', () => {
    const plain = new URL('http://reef.test/');
    expect(nextHop(plain, 'http://a.test/').href).toBe('http://a.test/');
    expect(nextHop(plain, 'https://a.test/').href).toBe('https://a.test/');
  });
});
