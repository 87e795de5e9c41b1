import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { formatListen, isLoopback, listenClash, parseListen } from '../../src/config/listen.ts';

describe('addresses to listen on', () => {
  it.each([
    ['0.0.0.0:5000', '0.0.0.0', 5000],
    ['[::]:5000', '::', 5000],
    ['[fe80::1]:1', 'fe80::1', 1],
    ['localhost:65535', 'localhost', 65_535],
    [':0', undefined, 0],
  ])('reads %s', (text, host, port) => {
    expect(parseListen(text)).toEqual({ host, port });
    expect(formatListen({ host, port })).toBe(text);
  });

  it.each([
    '',
    '5000',
    'localhost',
    'a:b',
    ':65536',
    '::5000',
    '[::1]',
    '[1.2.3.4]:5',
    'a b:5',
    '-:5',
    ':',
    'http://h:5',
  ])('refuses %j', (text) => {
    expect(parseListen(text)).toBeUndefined();
  });

  it('are read back as they were written', () => {
    const host = fc.oneof(fc.constant(undefined), fc.ipV4(), fc.ipV6(), fc.domain());
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65_535 }), (host, port) => {
        expect(parseListen(formatListen({ host, port }))).toEqual({ host, port });
      }),
    );
  });

  it.each([
    ['127.0.0.1:5000', true],
    ['127.8.0.1:5000', true],
    ['[::1]:5000', true],
    ['localhost:5000', true],
    [':5000', false],
    ['0.0.0.0:5000', false],
    ['[::]:5000', false],
    ['10.0.0.127:5000', false],
    ['127.0.0.1.example:5000', false],
  ])('%s is for this machine alone: %p', (text, expected) => {
    expect(isLoopback(parseListen(text)!)).toBe(expected);
  });

  it.each([
    [':5000', '127.0.0.1:5000', true],
    ['0.0.0.0:5000', '[::1]:5000', true],
    ['127.0.0.1:5000', '127.0.0.1:5000', true],
    ['127.0.0.1:5000', '127.0.0.2:5000', false],
    [':5000', ':5001', false],
    [':0', ':0', false],
  ])('%s and %s clash: %p', (one, other, clash) => {
    const [first, second] = [parseListen(one), parseListen(other)];
    if (first === undefined || second === undefined) throw new Error('not an address');
    expect(listenClash(first, second)).toBe(clash);
    expect(listenClash(second, first)).toBe(clash);
  });
});
