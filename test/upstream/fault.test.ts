import { describe, expect, it } from '@jest/globals';
import { RegistryError, type ErrorCode, type RegistryErrorOptions } from '../../src/oci/errors.ts';
import { faultOf } from '../../src/upstream/fault.ts';
import { networkError, noConnectionFree } from '../../src/upstream/network-error.ts';

const owns = (host: string): boolean => host === 'reef.test' || host === 'auth.test';

function failure(code: ErrorCode, upstreamHost: string, options: RegistryErrorOptions = {}) {
  return new RegistryError(code, undefined, { upstreamHost, ...options });
}

function broken(code: string, host = 'reef.test'): RegistryError {
  return networkError(Object.assign(new Error('broken'), { code }), 'reef', host);
}

describe('a failed request', () => {
  it.each([
    ['a 5xx', failure('UPSTREAM_UNAVAILABLE', 'reef.test'), 'registry'],
    ['a refused connection', broken('ECONNREFUSED'), 'registry'],
    ['a name that does not resolve', broken('ENOTFOUND'), 'registry'],
    ['a timeout', broken('UND_ERR_HEADERS_TIMEOUT'), 'registry'],
    ['a token server that is down', broken('ECONNRESET', 'auth.test'), 'registry'],
    ['a 429', failure('TOOMANYREQUESTS', 'reef.test'), 'limited'],
    ['a 429 of the token server', failure('TOOMANYREQUESTS', 'auth.test'), 'limited'],
    ['a CDN that is down', broken('ECONNREFUSED', 'cdn.test'), 'elsewhere'],
    ['a CDN that is slow', broken('UND_ERR_HEADERS_TIMEOUT', 'cdn.test'), 'elsewhere'],
    ['a 429 of a CDN', failure('TOOMANYREQUESTS', 'cdn.test'), 'elsewhere'],
    ['a 404', failure('MANIFEST_UNKNOWN', 'reef.test', { upstreamStatus: 404 }), 'none'],
    ['a 403', failure('UPSTREAM_DENIED', 'reef.test', { upstreamStatus: 403 }), 'none'],
    ['nonsense', failure('UPSTREAM_INVALID', 'reef.test'), 'none'],
    ['too many open files', broken('EMFILE'), 'local'],
    ['no memory', broken('ENOMEM'), 'local'],
    ['no free port', broken('EADDRNOTAVAIL'), 'local'],
    ['a wait for a connection', broken(noConnectionFree), 'crowded'],
    ['such a wait, for a CDN', broken(noConnectionFree, 'cdn.test'), 'crowded'],
    ['a closed client', broken('UND_ERR_DESTROYED'), 'local'],
    ['a credential helper', new RegistryError('UPSTREAM_DENIED', 'the helper failed'), 'local'],
    ['a fault of the program', new TypeError('oh'), 'local'],
  ] as const)('by %s', (_case, error, fault) => {
    expect(faultOf(error, owns)).toBe(fault);
  });

  it('is local where every address of a host failed so', () => {
    const errors = ['EMFILE', 'EMFILE'].map((code) => Object.assign(new Error('no'), { code }));
    const error = networkError(new AggregateError(errors), 'reef', 'reef.test');
    expect(faultOf(error, owns)).toBe('local');
  });
});
