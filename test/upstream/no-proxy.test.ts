import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { NoProxy } from '../../src/upstream/no-proxy.ts';
import { alwaysProxy, proxyFromEnvironment } from '../../src/upstream/proxy.ts';

describe('NoProxy', () => {
  it.each([
    ['*', 'https://any.example', true],
    ['example.com', 'https://example.com', true],
    ['example.com', 'https://registry.example.com', true],
    ['example.com', 'https://notexample.com', false],
    ['.example.com', 'https://registry.example.com', true],
    ['.example.com', 'https://example.com', false],
    ['*.example.com', 'https://registry.example.com', true],
    ['EXAMPLE.com', 'https://Example.COM', true],
    ['example.com:5000', 'http://example.com:5000', true],
    ['example.com:5000', 'http://example.com:5001', false],
    ['example.com:443', 'https://example.com', true],
    ['10.0.0.0/8', 'http://10.200.3.4:5000', true],
    ['10.0.0.0/8', 'http://11.0.0.1', false],
    ['10.0.0.0/8', 'http://ten.example', false],
    ['192.0.2.7', 'http://192.0.2.7', true],
    ['192.0.2.7:80', 'http://192.0.2.7', true],
    ['192.0.2.7:81', 'http://192.0.2.7', false],
    ['2001:db8::/32', 'http://[2001:db8::5]', true],
    ['[2001:db8::5]:5000', 'http://[2001:db8::5]:5000', true],
    ['2001:db8::5', 'http://[2001:db8:0::5]', true],
    ['a.example, b.example', 'http://b.example', true],
    ['a.example b.example', 'http://b.example', true],
    ['10.0.0.0/99', 'http://10.0.0.1', false],
    ['', 'https://example.com', false],
    ['', 'http://localhost:5000', true],
    ['', 'http://127.8.8.8', true],
    ['', 'http://[::1]:5000', true],
  ])('of %j covers %s: %j', (list, url, covered) => {
    expect(new NoProxy(list).covers(new URL(url))).toBe(covered);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), fc.domain(), (list, host) => {
        expect(typeof new NoProxy(list).covers(new URL(`https://${host}`))).toBe('boolean');
      }),
    );
  });
});

describe('the choice of a proxy', () => {
  const choose = proxyFromEnvironment({
    HTTP_PROXY: 'plain.example:3128',
    https_proxy: 'http://low.example:3128',
    HTTPS_PROXY: 'http://high.example:3128',
    NO_PROXY: 'inside.example',
  });

  it('goes by the scheme, the lower-case variable first', () => {
    expect(choose(new URL('http://a.example'))).toBe('http://plain.example:3128');
    expect(choose(new URL('https://a.example'))).toBe('http://low.example:3128');
    expect(choose(new URL('https://inside.example'))).toBeUndefined();
  });

  it('is for everything where it is configured', () => {
    expect(alwaysProxy('p.example:1')(new URL('http://localhost'))).toBe('http://p.example:1');
  });

  it.each(['http://', 'ftp://whale:krill@p.example', 'whale:krill@'])(
    'cannot be %j, which is not repeated',
    (proxy) => {
      expect(() => alwaysProxy(proxy)).toThrow(
        /^proxy is no URL of an http, https or socks5 proxy$/,
      );
      expect(() => proxyFromEnvironment({ HTTPS_PROXY: proxy })).toThrow(/^HTTPS_PROXY is no URL/);
    },
  );
});
