import { describe, expect, it } from '@jest/globals';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { CachedCredentials } from '../../src/upstream/cached-credentials.ts';
import { HelperCredentials, parseHelperOutput } from '../../src/upstream/credential-helper.ts';
import {
  credentialIdentity,
  StaticCredentials,
  type Credential,
  type CredentialSource,
} from '../../src/upstream/credentials.ts';
import { parseDockerConfig, serverKey } from '../../src/upstream/docker-config-file.ts';
import { DockerConfigCredentials } from '../../src/upstream/docker-config.ts';
import { PasswordFileCredentials } from '../../src/upstream/password-file.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';

const { signal } = new AbortController();
const resources = testResources();
const basic = (username: string, password: string): Credential => ({
  kind: 'basic',
  username,
  password,
});

/** A directory with a `docker-credential-<name>` in it, to be the PATH of the helper. */
function helper(name: string, script: string): { env: NodeJS.ProcessEnv; path: string } {
  const { path } = resources.use(tempDir('helper'));
  const file = join(path, `docker-credential-${name}`);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return { env: { PATH: `${path}:/bin:/usr/bin`, SEEN: join(path, 'seen') }, path };
}

const says = (username: string, secret: string): string =>
  `cat > "$SEEN"; echo "$1" >> "$SEEN"; printf '{"ServerURL":"x","Username":"${username}","Secret":"${secret}"}'`;

describe('a static credential', () => {
  it('is what it is', async () => {
    expect(await new StaticCredentials('whale', 'pw').get()).toEqual(basic('whale', 'pw'));
  });

  it('has an identity that tells credentials apart and gives none away', () => {
    const identities = [
      basic('a', 'bc'),
      basic('ab', 'c'),
      { kind: 'identity', token: 'bc' } as const,
      { kind: 'registry', token: 'bc' } as const,
      undefined,
    ].map(credentialIdentity);
    expect(new Set(identities).size).toBe(5);
    expect(identities.join(' ')).not.toContain('bc');
  });
});

describe('a password file', () => {
  it('is read again when it changes, in place or by replacement', async () => {
    const { path } = resources.use(tempDir());
    const file = join(path, 'password');
    await writeFile(file, 'first\n');
    const source = new PasswordFileCredentials('whale', file);
    expect(await source.get()).toEqual(basic('whale', 'first'));
    await writeFile(file, 'second');
    expect(await source.get()).toEqual(basic('whale', 'second'));
    await writeFile(`${file}.new`, 'third\r\n');
    await rename(`${file}.new`, file);
    expect(await source.get()).toEqual(basic('whale', 'third'));
  });

  it('that is missing or empty is told without its path', async () => {
    const { path } = resources.use(tempDir());
    const missing = new PasswordFileCredentials('whale', join(path, 'missing'));
    await expect(missing.get()).rejects.toMatchObject({
      code: 'UPSTREAM_DENIED',
      message: 'a credentials file of this upstream cannot be used (ENOENT)',
    });
    await writeFile(join(path, 'empty'), '\n');
    const empty = new PasswordFileCredentials('whale', join(path, 'empty'));
    await expect(empty.get()).rejects.toThrow('it is empty');
  });
});

describe('a credential helper', () => {
  it('is asked for the server on its input and gives user and password', async () => {
    const { env } = helper('reef', says('whale', 'krill'));
    const source = new HelperCredentials({ name: 'reef', server: 'reef.test:5000', env });
    expect(await source.get(signal)).toEqual(basic('whale', 'krill'));
    expect(readFileSync(env['SEEN'] ?? '', 'utf8')).toBe('reef.test:5000get\n');
  });

  it('marks an identity token by the user name <token>', async () => {
    const { env } = helper('reef', says('<token>', 'refresh'));
    const source = new HelperCredentials({ name: 'reef', server: 'reef.test', env });
    expect(await source.get(signal)).toEqual({ kind: 'identity', token: 'refresh' });
  });

  it('that knows nothing of the server means anonymous', async () => {
    const { env } = helper('reef', 'echo credentials not found in native keychain; exit 1');
    const source = new HelperCredentials({ name: 'reef', server: 'reef.test', env });
    expect(await source.get(signal)).toBeUndefined();
  });

  it.each([
    ['fails', 'echo no session for $USER; exit 3', 'failed (3): no session'],
    ['prints no JSON', 'echo hello', 'did not print JSON'],
    ['prints no secret', `echo '{"Username":"a"}'`, 'no user name and secret'],
    ['floods', 'yes 2>/dev/null', 'printed too much'],
    ['hangs', 'sleep 60', 'did not answer in time'],
  ])('that %s is told', async (_what, script, message) => {
    const { env } = helper('reef', script);
    const source = new HelperCredentials({ name: 'reef', server: 'reef.test', env, timeout: 1000 });
    await expect(source.get(signal)).rejects.toMatchObject({
      code: 'UPSTREAM_DENIED',
      message: expect.stringContaining(message) as unknown,
    });
  });

  it('that is not installed is told', async () => {
    const env = { PATH: '/nonexistent' };
    const source = new HelperCredentials({ name: 'reef', server: 'reef.test', env });
    await expect(source.get(signal)).rejects.toThrow('is not on PATH');
  });

  it('never leaks its secret through an error', async () => {
    const { env } = helper('reef', `echo '{"Username":"a","Secret":"krill"}'; exit 1`);
    const source = new HelperCredentials({ name: 'reef', server: 'reef.test', env });
    const error = (await source.get(signal).catch((caught: unknown) => caught)) as Error;
    expect(`${error.message} ${JSON.stringify(error.cause)}`).not.toContain('krill');
    expect(() => parseHelperOutput('{"Secret":"krill"', 'reef')).toThrow(/^[^k]*$/);
  });

  it('stops when nobody waits any more', async () => {
    const { env } = helper('reef', 'sleep 60');
    const source = new HelperCredentials({ name: 'reef', server: 'reef.test', env });
    const controller = new AbortController();
    const asked = source.get(controller.signal);
    controller.abort(new Error('gone'));
    await expect(asked).rejects.toThrow('gone');
  });

  it.each(['../evil', '/bin/evil', '.hidden', '-x', 'a b', '', 'a/b', 'a\0b'])(
    'cannot be called %j',
    (name) => {
      expect(() => new HelperCredentials({ name, server: 'x' })).toThrow('not the name');
    },
  );
});

describe('a cache of credentials', () => {
  class Counting implements CredentialSource {
    asked = 0;
    failure: Error | undefined;
    answer: Credential | undefined = basic('whale', '0');
    get(): Promise<Credential | undefined> {
      this.asked += 1;
      if (this.failure !== undefined) return Promise.reject(this.failure);
      return Promise.resolve(this.answer);
    }
    forget(): void {}
  }
  const setUp = () => {
    const source = new Counting();
    const clock = { now: 0 };
    const cached = new CachedCredentials(source, { ttl: 1000, now: () => clock.now });
    return { source, clock, cached };
  };

  it('asks once for any number of callers, and again after the time or a refusal', async () => {
    const { source, clock, cached } = setUp();
    await Promise.all([cached.get(signal), cached.get(signal), cached.get(signal)]);
    clock.now = 999;
    await cached.get(signal);
    expect(source.asked).toBe(1);
    clock.now = 1000;
    await cached.get(signal);
    expect(source.asked).toBe(2);
    cached.forget();
    await cached.get(signal);
    expect(source.asked).toBe(3);
  });

  it('lives on its old answer while the source is broken, but not on a refused one', async () => {
    const { source, clock, cached } = setUp();
    await cached.get(signal);
    source.failure = new Error('broken');
    clock.now = 5000;
    expect(await cached.get(signal)).toEqual(basic('whale', '0'));
    clock.now = 11 * 3_600_000;
    await expect(cached.get(signal)).rejects.toThrow('broken');
    cached.forget();
    clock.now = 0;
    await expect(cached.get(signal)).rejects.toThrow('broken');
  });
});

const auth = (text: string): string => Buffer.from(text).toString('base64');
const from = async (text: string, registry: string, env: NodeJS.ProcessEnv = {}) => {
  const { path } = resources.use(tempDir());
  await writeFile(join(path, 'config.json'), text);
  return new DockerConfigCredentials({ path: join(path, 'config.json'), registry, env });
};

describe("Docker's config.json", () => {
  const config = JSON.stringify({
    auths: {
      'https://index.docker.io/v1/': { auth: auth('hub:p:w') },
      'reef.test:5000': { username: 'plain', password: 'pw' },
      'https://tokens.test': { auth: auth('x:y'), identitytoken: 'refresh' },
      'bearer.test': { registrytoken: 'bearer' },
      'padded.test': { auth: auth('whale:krill\0\0') },
      'empty.test': {},
      'broken.test': { auth: auth('nocolon') },
    },
  });

  it.each<[string, Credential | undefined]>([
    ['https://registry-1.docker.io', basic('hub', 'p:w')],
    ['docker.io', basic('hub', 'p:w')],
    ['http://reef.test:5000/', basic('plain', 'pw')],
    ['https://tokens.test/v2/', { kind: 'identity', token: 'refresh' }],
    ['bearer.test', { kind: 'registry', token: 'bearer' }],
    ['padded.test', basic('whale', 'krill')],
    ['empty.test', undefined],
    ['broken.test', undefined],
    ['reef.test', undefined],
    ['other.test', undefined],
  ])('gives for %s what was logged in there', async (registry, expected) => {
    expect(await (await from(config, registry)).get(signal)).toEqual(expected);
  });

  it('asks the helper of the server before the store, and auths last', async () => {
    const { env } = helper('own', says('own', '1'));
    const { env: common, path } = helper('common', says('common', '2'));
    const both = { ...env, PATH: `${env['PATH'] ?? ''}:${path}` };
    expect(common['PATH']).toContain(path);
    const text = JSON.stringify({
      auths: { 'third.test': { auth: auth('auths:3') } },
      credHelpers: { 'first.test': 'own' },
      credsStore: 'common',
    });
    expect(await (await from(text, 'first.test', both)).get(signal)).toEqual(basic('own', '1'));
    expect(await (await from(text, 'second.test', both)).get(signal)).toEqual(basic('common', '2'));
    const { env: none } = helper('common', 'echo credentials not found; exit 1');
    expect(await (await from(text, 'third.test', none)).get(signal)).toEqual(basic('auths', '3'));
  });

  it('asks helpers for Docker Hub by its old name', async () => {
    const { env } = helper('own', says('hub', '1'));
    const source = await from(JSON.stringify({ credsStore: 'own' }), 'registry-1.docker.io', env);
    await source.get(signal);
    expect(readFileSync(env['SEEN'] ?? '', 'utf8')).toBe('https://index.docker.io/v1/get\n');
  });

  it('that names a helper outside of PATH is refused', async () => {
    const source = await from(JSON.stringify({ credsStore: '../../evil' }), 'reef.test');
    await expect(source.get(signal)).rejects.toMatchObject({ code: 'UPSTREAM_DENIED' });
  });

  it('that is no JSON is refused without being quoted', async () => {
    const source = await from('{"auths": krill', 'reef.test');
    const error = (await source.get(signal).catch((caught: unknown) => caught)) as Error;
    expect(error.message).toContain('it is not JSON');
    expect(`${error.message}${String(error.cause)}`).not.toContain('krill');
  });

  it('is parsed or refused, whatever it holds', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parseDockerConfig(text);
        } catch (error) {
          expect((error as Error).message).toBe('it is not a JSON object');
        }
      }),
    );
  });

  it('writes servers in many forms that mean one', () => {
    const forms = [
      'https://Reef.test/v2/',
      'reef.test',
      'http://reef.test/',
      'https://reef.test/v1/',
    ];
    expect(new Set(forms.map(serverKey))).toEqual(new Set(['reef.test']));
    expect(serverKey('reef.test/team/app')).toBe('reef.test/team/app');
  });
});
