import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { quote, redactUrl } from '../../src/upstream/redact.ts';

describe('redaction', () => {
  it('keeps queries, passwords and headers out of what is quoted', () => {
    expect(redactUrl(new URL('https://u:p@cdn.test/x?X-Signature=secret'))).toBe(
      'https://cdn.test/x?…',
    );
    expect(quote('see https://cdn.test/x?sig=secret for Bearer abcdefgh.ijk\u0007\nand more')).toBe(
      'see https://cdn.test/x?… for Bearer … and more',
    );
  });

  it('quotes at most some 300 printable characters on one line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 1000 }), (text) => {
        expect(quote(text)).toMatch(/^[^\p{C}\n]*$/u);
        expect(quote(text).length).toBeLessThanOrEqual(301);
      }),
    );
  });
});
