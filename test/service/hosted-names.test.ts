import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../src/config/load.ts';
import { exampleName, isOpenToPush } from '../../src/service/hosted-names.ts';

const load = (env: Record<string, string>) => loadConfig({ env });

describe('the example of a name that is hosted', () => {
  it.each([
    ['', undefined],
    ['*', 'myapp'],
    ['local/**', 'local/myapp'],
    ['team-*/**', 'team-myapp/myapp'],
    ['one/app', 'one/app'],
    ['te?m,{a,b}/c,x/*', 'x/myapp'],
  ])('is, for %j, %j', (BALEEN_HOSTED_REPOSITORIES, name) => {
    expect(exampleName(load({ BALEEN_HOSTED_REPOSITORIES }))).toBe(name);
  });
});

describe('a registry that everybody may push to', () => {
  const file = import.meta.filename;
  const tls = { BALEEN_SERVER_TLS_CERT: file, BALEEN_SERVER_TLS_KEY: file };

  it.each([
    ['hosts something, and listens beyond this machine', {}, true],
    ['is no other for TLS', tls, true],
    ['is none that hosts nothing', { BALEEN_HOSTED_REPOSITORIES: '' }, false],
    ['is none that only this machine can reach', { BALEEN_SERVER_LISTEN: '[::1]:5000' }, false],
    ['is none with accounts', { BALEEN_AUTH_HTPASSWD: file }, false],
    ['is none that wants certificates', { ...tls, BALEEN_SERVER_TLS_CLIENT_CA: file }, false],
  ])('%s', (_what, env, expected) => {
    expect(isOpenToPush(load({ BALEEN_HOSTED_REPOSITORIES: '*', ...env }))).toBe(expected);
  });
});
