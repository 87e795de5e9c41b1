import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { nextPage } from '../../src/upstream/link.ts';

describe('nextPage', () => {
  const from = new URL('https://reef.test/v2/a/tags/list?n=2');
  it.each([
    ['</v2/a/tags/list?n=2&last=b>; rel="next"', '/v2/a/tags/list?n=2&last=b'],
    ['</x>; rel=prev, </y?a=1,2>; foo="bar"; rel="last next"', '/y?a=1,2'],
    ['<?n=2&last=b>;rel=next', '/v2/a/tags/list?n=2&last=b'],
    ['<http://reef.test:8080/y>; rel="next"', '/y'],
    ['<http://reef.test//evil.test/y>; rel="next"', '//evil.test/y'],
    ['</x>; rel="prev"', undefined],
    ['</x>; rel="nextish"', undefined],
    ['nonsense', undefined],
    [undefined, undefined],
  ])('of %j is %j, at our own origin', (header, path) => {
    const next = nextPage(from, header);
    expect(next?.href).toBe(path === undefined ? undefined : `https://reef.test${path}`);
  });

  it('is never at another host', () => {
    expect(() => nextPage(from, '<https://evil.test/x>; rel="next"')).toThrow('elsewhere');
  });

  it('never throws anything but that', () => {
    fc.assert(fc.property(fc.string(), (header) => void nextPage(from, `</x>; ${header}`)));
  });
});
