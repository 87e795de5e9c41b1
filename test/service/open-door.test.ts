import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../src/config/load.ts';
import { isOpenToPush, isOverHub } from '../../src/service/open-door.ts';
import { Reloader } from '../../src/service/reload.ts';

const load = (env: Record<string, string>) => loadConfig({ env });

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

describe('names that are hosted', () => {
  it.each([
    ['**', {}, true],
    ['*/*', {}, true],
    ['*,local/**', {}, false],
    ['**', { BALEEN_DEFAULT_UPSTREAM: 'none' }, false],
  ])('may be those of all of Docker Hub: %s %j', (globs, env, expected) => {
    expect(isOverHub(load({ BALEEN_HOSTED_REPOSITORIES: globs, ...env }))).toBe(expected);
  });
});

describe('a reload', () => {
  it('that takes the names of Docker Hub says so', () => {
    const said: string[] = [];
    const reloader = new Reloader({
      started: load({ BALEEN_HOSTED_REPOSITORIES: '*' }),
      read: () => load({ BALEEN_HOSTED_REPOSITORIES: '**' }),
      parts: [],
      logger: {
        info: () => undefined,
        warn: (text) => void said.push(text),
        error: () => undefined,
      },
      metrics: { configReloaded: () => undefined },
    });
    reloader.reload();
    reloader.reload();
    expect(said.filter((text) => text.startsWith('hosted.repositories'))).toHaveLength(1);
  });

  it.each([
    ['that opens the door says so', {}, {}, 1],
    ['that leaves it open says it no more', { BALEEN_HOSTED_REPOSITORIES: 'a' }, {}, 0],
    ['with accounts opens none', { BALEEN_AUTH_HTPASSWD: import.meta.filename }, {}, 0],
    [
      'opens none for who cannot come',
      { BALEEN_SERVER_LISTEN: '127.0.0.1:1' },
      { BALEEN_SERVER_LISTEN: ':1' },
      0,
    ],
  ])('%s', (_what, before, after, times) => {
    const said: string[] = [];
    const reloader = new Reloader({
      started: load(before),
      read: () => load({ ...before, ...after, BALEEN_HOSTED_REPOSITORIES: '*' }),
      parts: [],
      logger: {
        info: () => undefined,
        warn: (text) => void said.push(text),
        error: () => undefined,
      },
      metrics: { configReloaded: () => undefined },
    });
    reloader.reload();
    expect(said.filter((text) => text.startsWith('everybody'))).toHaveLength(times);
  });
});
