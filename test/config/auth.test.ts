import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AuthConfig } from '../../src/config/auth-config.ts';
import { ConfigError, formatFault } from '../../src/config/config-error.ts';
import { loadConfig } from '../../src/config/load.ts';
import { printConfig } from '../../src/config/redact.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'baleen-auth-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string): AuthConfig | undefined {
  const file = join(folder, 'config.yaml');
  writeFileSync(file, text);
  return loadConfig({ file, env: {} }).auth;
}

function faults(text: string): string[] {
  try {
    load(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map((fault) => formatFault(fault).replace(/^\S+ /, ''));
  }
}

const issuer = (settings: string, name = 'ci'): string => `  ${name}: { audience: b, ${settings} }`;
const issuers = (...lines: string[]): string => `auth:\n issuers:\n${lines.join('\n')}\n`;

describe('accounts in the configuration', () => {
  it('are off where there are none, and have defaults where there are', () => {
    expect(load('')).toBeUndefined();
    expect(load('auth: { htpasswd: /etc/htpasswd }')).toEqual({
      htpasswd: '/etc/htpasswd',
      groups: {},
      failures: { allowed: 5, first_wait: 1_000, longest_wait: 300_000 },
      tokens: { ttl: 300_000, service: 'baleen' },
      issuers: {},
    });
    expect(load(issuers(issuer('issuer: "https://a.example"')))?.issuers['ci']).toEqual({
      issuer: 'https://a.example',
      audience: 'b',
      account_claim: 'sub',
    });
  });

  it.each(['auth:', 'auth: {}', 'auth: { groups: { devs: [alice] } }', 'auth:\n  #htpasswd: /x\n'])(
    'are not off by mistake: %j',
    (text) => {
      expect(faults(text)).toEqual([
        'auth: needs htpasswd, issuers or certificates: nobody could log in',
      ]);
    },
  );

  it.each<[string, string, string]>([
    [
      'certificates without an authority',
      'auth: { certificates: dns }',
      'auth.certificates: needs server.tls.client_ca: the authority that signs them',
    ],
    [
      'an issuer for whom nothing is meant',
      'auth: { issuers: { ci: { issuer: "https://a.example" } } }',
      'auth.issuers.ci.audience: expected text (a bare number or yes/no word needs quotes)',
    ],
    [
      'an issuer over http',
      issuers(issuer('issuer: "http://a.example"')),
      'auth.issuers.ci.issuer: is no https URL that its keys could be found by: give jwks or jwks_file',
    ],
    [
      'an issuer that is no URL',
      issuers(issuer('issuer: kubernetes/serviceaccount')),
      'auth.issuers.ci.issuer: is no https URL that its keys could be found by: give jwks or jwks_file',
    ],
    [
      'keys over http',
      issuers(issuer('issuer: a, jwks: "http://a.example/keys"')),
      'auth.issuers.ci.jwks: must be https: whoever can change what comes over http can log in as anybody',
    ],
    [
      'the name of Baleen’s own tokens',
      issuers(issuer('issuer: baleen, jwks: "https://a.example/keys"')),
      'auth.issuers.ci.issuer: is the name of Baleen’s own tokens',
    ],
    [
      'one issuer twice',
      issuers(
        issuer('issuer: "https://a.example"'),
        issuer('issuer: "https://a.example"', 'other'),
      ),
      'auth.issuers.other.issuer: is the same as ci’s',
    ],
    [
      'two places to get tokens at',
      issuers(
        issuer('issuer: "https://a.example", realm: "https://a.example/token"'),
        issuer('issuer: "https://b.example", realm: "https://b.example/token"', 'other'),
      ),
      'auth.issuers.other.realm: clients are sent elsewhere already, by ci',
    ],
    [
      'a token that clients would call too short',
      'auth: { htpasswd: /x, tokens: { ttl: 30s } }',
      'auth.tokens.ttl: must be from 1m to 1d',
    ],
    [
      'a service that breaks out of its quotes',
      'auth: { htpasswd: /x, tokens: { service: "a\\"b" } }',
      'auth.tokens.service: expected letters, digits and signs without spaces',
    ],
    [
      'waits the wrong way round',
      'auth: { htpasswd: /x, failures: { first_wait: 1h, longest_wait: 1m } }',
      'auth.failures.longest_wait: must not be shorter than first_wait',
    ],
  ])('are refused with %s', (_what, text, fault) => {
    expect(faults(text)).toEqual([fault]);
  });

  it('may have issuers on this machine over http, and those that are no URL with keys elsewhere', () => {
    expect(
      faults(
        issuers(
          issuer('issuer: "http://127.0.0.1:8080"'),
          issuer('issuer: legacy, jwks: "http://localhost/keys"', 'legacy'),
        ),
      ),
    ).toEqual([]);
  });

  it('are printed as they can be loaded again', () => {
    const text =
      issuers(issuer('issuer: "https://a.example", prefix: ""')) +
      ' htpasswd: /etc/htpasswd\n groups: { devs: [alice] }\n';
    const file = join(folder, 'config.yaml');
    writeFileSync(file, text);
    const config = loadConfig({ file, env: {} });
    writeFileSync(file, printConfig(config));
    expect(loadConfig({ file, env: {} }).auth).toEqual(config.auth);
  });

  it('may come from the environment', () => {
    const env = {
      BALEEN_AUTH_HTPASSWD: '/etc/htpasswd',
      BALEEN_AUTH_TOKENS_TTL: '10m',
    };
    expect(loadConfig({ env }).auth).toMatchObject({
      htpasswd: '/etc/htpasswd',
      tokens: { ttl: 600_000 },
    });
  });
});
