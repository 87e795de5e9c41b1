import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseAuthorization } from '../../src/access/authorization.ts';
import { isRegistryError } from '../../src/oci/errors.ts';

const encode = (text: string): string => Buffer.from(text).toString('base64');

describe('an Authorization header', () => {
  it.each([
    [`Basic ${encode('alice:secret')}`, { scheme: 'basic', username: 'alice', password: 'secret' }],
    [`basic  ${encode('alice:')}`, { scheme: 'basic', username: 'alice', password: '' }],
    [`BASIC ${encode('a:b:c')}`, { scheme: 'basic', username: 'a', password: 'b:c' }],
    [`Basic ${encode('ä:ö')}`, { scheme: 'basic', username: 'ä', password: 'ö' }],
    ['bearer abc', { scheme: 'bearer', token: 'abc' }],
    ['Bearer  abc ', { scheme: 'bearer', token: 'abc' }],
  ])('is read: %s', (header, expected) => {
    expect(parseAuthorization(header)).toEqual(expected);
  });

  it.each([
    '',
    ' ',
    'Basic',
    'Basic ',
    `Basic ${encode('alice')}`,
    `Basic ${encode(':secret')}`,
    'Digest username="alice"',
    'alice:secret',
    `Bearer ${'x'.repeat(13_000)}`,
  ])('is refused where it proves nothing: %.30s', (header) => {
    expect(() => parseAuthorization(header)).toThrow('cannot be read');
  });

  it('gives what was put in, and never fails in another way', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (username, password, noise) => {
        fc.pre(username !== '' && !username.includes(':') && username.isWellFormed());
        fc.pre(password.isWellFormed());
        const header = `Basic ${encode(`${username}:${password}`)}`;
        expect(parseAuthorization(header)).toEqual({ scheme: 'basic', username, password });
        try {
          parseAuthorization(noise);
        } catch (error) {
          expect(isRegistryError(error, 'UNAUTHORIZED')).toBe(true);
        }
      }),
    );
  });
});
