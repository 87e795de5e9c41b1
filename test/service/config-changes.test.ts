import { describe, expect, it } from '@jest/globals';
import { configChanges } from '../../src/service/config-changes.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';

/** The configuration with these variables set; any file will do where one has to be there. */
function configOf(env: Readonly<Record<string, string>> = {}): Config {
  return loadConfig({ env });
}

const file = import.meta.filename;
const plain: Record<string, string> = {};
const tls = { BALEEN_SERVER_TLS_CERT: file, BALEEN_SERVER_TLS_KEY: file };
const otherCertificate = { ...tls, BALEEN_SERVER_TLS_CERT: process.execPath };
const clients = { ...tls, BALEEN_SERVER_TLS_CLIENT_CA: file };
const otherClients = { ...tls, BALEEN_SERVER_TLS_CLIENT_CA: process.execPath };

describe('what a configuration that is read again changes', () => {
  it.each([
    ['nothing', plain, {}, [], []],
    ['a log level', plain, { BALEEN_LOG_LEVEL: 'debug' }, ['log.level'], []],
    ['the access log', plain, { BALEEN_LOG_ACCESS: 'false' }, ['log.access'], []],
    ['the look of the log', plain, { BALEEN_LOG_FORMAT: 'pretty' }, [], ['log.format']],
    [
      'a tag’s time',
      plain,
      { BALEEN_UPSTREAMS_DOCKER_IO_TAG_TTL: '1h' },
      ['upstreams.docker.io.tag_ttl'],
      [],
    ],
    ['the default', plain, { BALEEN_DEFAULT_UPSTREAM: 'quay.io' }, ['default_upstream'], []],
    ['what is hosted', plain, { BALEEN_HOSTED_REPOSITORIES: 'a' }, ['hosted.repositories'], []],
    ['what is held', plain, { BALEEN_HOLD_REPOSITORIES: 'a' }, ['hold.repositories'], []],
    ['the port', plain, { BALEEN_SERVER_LISTEN: ':7000' }, [], ['server.listen']],
    ['the directory', plain, { BALEEN_STORAGE_DIRECTORY: '/x' }, [], ['storage.directory']],
    [
      'Redis',
      plain,
      { BALEEN_CATALOG_REDIS_URL: 'redis://127.0.0.1' },
      [],
      ['catalog.redis.url', 'catalog.redis.key_prefix', 'catalog.redis.timeout'],
    ],
    ['a certificate', tls, otherCertificate, ['server.tls.cert'], []],
    ['the clients’ authority', clients, otherClients, ['server.tls.client_ca'], []],
    [
      'HTTPS for HTTP',
      plain,
      tls,
      [],
      ['server.tls.cert', 'server.tls.key', 'server.tls.min_version'],
    ],
    [
      'HTTP for HTTPS',
      tls,
      plain,
      [],
      ['server.tls.cert', 'server.tls.key', 'server.tls.min_version'],
    ],
    ['certificates for clients', tls, clients, [], ['server.tls.client_ca']],
  ])('%s', (_what, before, after, applied, needsRestart) => {
    const started = configOf(before);
    expect(configChanges(started, started, configOf(after))).toEqual({ applied, needsRestart });
  });

  it('is told since the last time for what took effect, and since the start for what did not', () => {
    const [started, second] = [configOf(), configOf({ BALEEN_LOG_LEVEL: 'debug' })];
    const third = configOf({ BALEEN_LOG_LEVEL: 'debug', BALEEN_SERVER_LISTEN: ':7000' });
    expect(configChanges(started, second, third)).toEqual({
      applied: [],
      needsRestart: ['server.listen'],
    });
    expect(configChanges(started, third, second)).toEqual({ applied: [], needsRestart: [] });
    expect(configChanges(started, third, started)).toMatchObject({ applied: ['log.level'] });
  });

  it('names a secret that changed, and does not tell it', () => {
    const username = { BALEEN_UPSTREAMS_DOCKER_IO_CREDENTIALS_USERNAME: 'me' };
    const password = 'BALEEN_UPSTREAMS_DOCKER_IO_CREDENTIALS_PASSWORD';
    const started = configOf({ ...username, [password]: 'krill' });
    const next = configOf({ ...username, [password]: 'plankton' });
    expect(configChanges(started, started, next)).toEqual({
      applied: ['upstreams.docker.io.credentials.password'],
      needsRestart: [],
    });
  });

  it('names the one that changed of several credentials', () => {
    const credentials = (...passwords: string[]) => ({
      ...configOf().upstreams['docker.io']!,
      credentials: passwords.map((password) => ({ username: 'me', password })),
    });
    const started = { ...configOf(), upstreams: { 'docker.io': credentials('krill', 'squid') } };
    const next = { ...started, upstreams: { 'docker.io': credentials('krill', 'plankton') } };
    expect(configChanges(started, started, next).applied).toEqual([
      'upstreams.docker.io.credentials[1].password',
    ]);
    expect(configChanges(started, started, { ...started }).applied).toEqual([]);
  });
});
