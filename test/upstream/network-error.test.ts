import { describe, expect, it } from '@jest/globals';
import { networkError } from '../../src/upstream/network-error.ts';

describe('networkError', () => {
  it.each([
    ['ENOTFOUND', 'UPSTREAM_UNAVAILABLE', 'DNS'],
    ['ECONNREFUSED', 'UPSTREAM_UNAVAILABLE', 'refused'],
    ['UND_ERR_CONNECT_TIMEOUT', 'UPSTREAM_TIMEOUT', 'in time'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'UPSTREAM_UNAVAILABLE', 'option ca'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'UPSTREAM_UNAVAILABLE', 'http://'],
    ['UND_ERR_HEADERS_OVERFLOW', 'UPSTREAM_INVALID', 'HTTP'],
  ])('says what %s means', (code, expected, hint) => {
    const one = Object.assign(new Error('x'), { code });
    for (const cause of [one, new AggregateError([one])]) {
      const error = networkError(cause, 'reef', 'reef.test');
      expect([error.code, error.cause]).toEqual([expected, cause]);
      expect(error.message).toContain('reef.test');
      expect(error.message).toContain(hint);
    }
  });
});
