import { beforeEach, describe, expect, it } from '@jest/globals';
import nock from 'nock';
import { RegistryError } from '../../src/oci/errors.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { parseRepositoryName } from '../../src/oci/repository-name.ts';
import {
  StaticCredentials,
  type Credential,
  type CredentialSource,
} from '../../src/upstream/credentials.ts';
import type { RegistryClientOptions } from '../../src/upstream/registry-client-options.ts';
import { RegistryClient } from '../../src/upstream/registry-client.ts';
import { testResources } from '../support/resources.ts';
import { useNock } from './nock-suite.ts';
import { RecordingObserver } from './recording-observer.ts';

const repository = parseRepositoryName('library/reef');
const tag = '1' as Tag;
const path = '/v2/library/reef/manifests/1';
const manifest = { schemaVersion: 2 };
const type = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
const { signal } = new AbortController();
const basicHeader = `Basic ${Buffer.from('whale:krill').toString('base64')}`;
const whale = new StaticCredentials('whale', 'krill');
const scope = 'repository:library/reef:pull';
/** Matches only requests without a credential. */
const nobody = { badheaders: ['authorization'] };

const pull = async (from: RegistryClient): Promise<string> =>
  (await from.fetchManifest(repository, tag, signal)).bytes.toString();
const challenge = (realm: string): Record<string, string> => ({
  'www-authenticate': `Bearer realm="${realm}",service="reef",scope="${scope}"`,
});

/** Challenges whoever carries no token, and serves who does. */
const guarded = (url: string, realm: string, ...tokens: string[]): void => {
  nock(url, nobody).get(path).reply(401, '', challenge(realm));
  for (const token of tokens) {
    nock(url).get(path).matchHeader('authorization', `Bearer ${token}`).reply(200, manifest, type);
  }
};

describe('authentication upstream', () => {
  const resources = testResources();
  useNock();
  let observer: RecordingObserver;
  const client = (url: string, options: Partial<RegistryClientOptions> = {}): RegistryClient => {
    const made = new RegistryClient({ name: 'reef', urls: [url], observer, env: {}, ...options });
    resources.defer(() => made.close());
    return made;
  };

  beforeEach(() => {
    observer = new RecordingObserver();
  });

  it('gets a token where it is challenged, and then sends it unasked', async () => {
    guarded('https://registry-1.docker.io', 'https://auth.docker.io/token', 'T', 'T');
    nock('https://auth.docker.io', nobody)
      .get('/token')
      .query({ service: 'reef', scope })
      .reply(200, { token: 'T', expires_in: 300 });
    const upstream = client('https://registry-1.docker.io');
    await pull(upstream);
    await pull(upstream);
    const log = observer.requests.map(({ kind, status }) => `${kind} ${status}`);
    expect(log).toEqual(['manifest 401', 'token 200', 'manifest 200', 'manifest 200']);
  });

  it('sends the credential to the realm only', async () => {
    guarded('https://registry-1.docker.io', 'https://auth.docker.io/token', 'T');
    nock('https://auth.docker.io')
      .get('/token')
      .query({ service: 'reef', scope, account: 'whale' })
      .matchHeader('authorization', basicHeader)
      .reply(200, { token: 'T' });
    await pull(client('https://registry-1.docker.io', { credentials: whale }));
  });

  it('asks a realm on an unrelated host anonymously, and says so once', async () => {
    nock('https://reef.test')
      .get(path)
      .times(2)
      .reply(401, '', challenge('https://evil.test/token'));
    nock('https://evil.test', nobody)
      .get('/token')
      .query((query) => query['account'] === undefined)
      .reply(200, { token: 'T' });
    const upstream = client('https://reef.test', { credentials: whale });
    await expect(pull(upstream)).rejects.toMatchObject({ code: 'UPSTREAM_DENIED' });
    expect(observer.warnings).toEqual([expect.stringContaining('https://evil.test')]);
    expect(observer.warnings.join('')).not.toContain('krill');
  });

  it('does not ask an http realm of an https registry at all', async () => {
    nock('https://reef.test').get(path).reply(401, '', challenge('http://reef.test/token'));
    const evil = nock('http://reef.test').get(/.*/).reply(200, { token: 'T' });
    const upstream = client('https://reef.test', { credentials: whale });
    await expect(pull(upstream)).rejects.toMatchObject({ code: 'UPSTREAM_DENIED' });
    expect(evil.isDone()).toBe(false);
    expect(observer.warnings).toEqual([expect.stringContaining('not asked')]);
    nock.cleanAll();
  });

  it('trusts an unrelated realm that is listed', async () => {
    guarded('https://reef.test', 'https://login.test/token', 'T');
    nock('https://login.test')
      .get('/token')
      .query(true)
      .matchHeader('authorization', basicHeader)
      .reply(200, { token: 'T' });
    await pull(client('https://reef.test', { credentials: whale, realms: ['https://login.test'] }));
  });

  it('makes one token request for any number of pulls at once', async () => {
    nock('https://reef.test', nobody)
      .get(path)
      .times(20)
      .reply(401, '', challenge('https://reef.test/token'));
    nock('https://reef.test')
      .get(path)
      .times(20)
      .matchHeader('authorization', 'Bearer T')
      .reply(200, manifest, type);
    nock('https://reef.test').get('/token').query(true).reply(200, { token: 'T' });
    const upstream = client('https://reef.test');
    await Promise.all(Array.from({ length: 20 }, () => pull(upstream)));
    expect(observer.requests.filter(({ kind }) => kind === 'token')).toHaveLength(1);
  });

  it('renews a token that the registry does not accept any more, once', async () => {
    guarded('https://reef.test', 'https://reef.test/token', 'old');
    nock('https://reef.test')
      .get('/token')
      .query(true)
      .reply(200, { token: 'old', expires_in: 300 });
    const upstream = client('https://reef.test');
    await pull(upstream);
    nock('https://reef.test')
      .get(path)
      .matchHeader('authorization', 'Bearer old')
      .reply(401, '', challenge('https://reef.test/token'));
    nock('https://reef.test').get('/token').query(true).reply(200, { token: 'new' });
    nock('https://reef.test')
      .get(path)
      .matchHeader('authorization', 'Bearer new')
      .reply(200, manifest, type);
    await pull(upstream);
  });

  it('does not ask for another token where a fresh one is refused', async () => {
    nock('https://reef.test')
      .get(path)
      .times(2)
      .reply(
        401,
        { errors: [{ code: 'UNAUTHORIZED', message: 'not for you' }] },
        challenge('https://reef.test/token'),
      );
    nock('https://reef.test').get('/token').query(true).reply(200, { token: 'T' });
    await expect(pull(client('https://reef.test'))).rejects.toMatchObject({
      code: 'UPSTREAM_DENIED',
      upstreamStatus: 401,
      message: expect.stringContaining('not for you') as unknown,
    });
  });

  it('posts the OAuth2 form where the GET is refused', async () => {
    guarded('https://reef.test', 'https://reef.test/token', 'T');
    nock('https://reef.test').get('/token').query(true).reply(405);
    nock('https://reef.test')
      .post('/token', {
        grant_type: 'password',
        username: 'whale',
        password: 'krill',
        client_id: 'baleen',
        service: 'reef',
        scope,
      })
      .reply(200, { access_token: 'T', expires_in: 60 });
    await pull(client('https://reef.test', { credentials: whale }));
  });

  it('exchanges an identity token as ACR wants it', async () => {
    const identity: CredentialSource = {
      get: () => Promise.resolve({ kind: 'identity', token: 'refresh' }),
      forget() {},
    };
    guarded('https://reef.azurecr.io', 'https://reef.azurecr.io/oauth2/token', 'T');
    nock('https://reef.azurecr.io', nobody)
      .post('/oauth2/token', {
        grant_type: 'refresh_token',
        refresh_token: 'refresh',
        client_id: 'baleen',
        service: 'reef',
        scope,
      })
      .reply(200, { access_token: 'T' });
    await pull(client('https://reef.azurecr.io', { credentials: identity }));
  });

  it('does not follow a redirected form, whose body is the credential', async () => {
    nock('https://reef.test').get(path).reply(401, '', challenge('https://reef.test/token'));
    nock('https://reef.test').get('/token').query(true).reply(404);
    nock('https://reef.test').post('/token').reply(307, '', { location: 'https://evil.test/' });
    const upstream = client('https://reef.test', { credentials: whale });
    await expect(pull(upstream)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' });
  });

  it('drops the credential where the token endpoint redirects to another origin', async () => {
    guarded('https://reef.test', 'https://reef.test/token', 'T');
    nock('https://reef.test')
      .get('/token')
      .query(true)
      .matchHeader('authorization', basicHeader)
      .reply(302, '', { location: 'https://other.test/token' });
    nock('https://other.test', nobody).get('/token').reply(200, { token: 'T' });
    await pull(client('https://reef.test', { credentials: whale }));
  });

  it('answers a Basic challenge, and remembers it', async () => {
    nock('https://reef.test', nobody)
      .get(path)
      .reply(401, '', { 'www-authenticate': 'Basic realm="Reef"' });
    nock('https://reef.test')
      .get(path)
      .times(2)
      .matchHeader('authorization', basicHeader)
      .reply(200, manifest, type);
    const upstream = client('https://reef.test', { credentials: whale });
    await pull(upstream);
    await pull(upstream);
  });

  it('is denied by a Basic challenge without a credential', async () => {
    nock('https://reef.test')
      .get(path)
      .reply(401, '', { 'www-authenticate': 'Basic realm="Reef"' });
    await expect(pull(client('https://reef.test'))).rejects.toMatchObject({
      code: 'UPSTREAM_DENIED',
    });
  });

  it('asks for the credential anew where Basic is refused', async () => {
    const rotating = new Rotating('stale', 'krill');
    const challenged = { 'www-authenticate': 'Basic realm="Reef"' };
    nock('https://reef.test').get(path).times(2).reply(401, '', challenged);
    nock('https://reef.test')
      .get(path)
      .matchHeader('authorization', basicHeader)
      .reply(200, manifest, type);
    await pull(client('https://reef.test', { credentials: rotating }));
    expect(rotating.asked).toEqual(['stale', 'krill']);
  });

  it('asks for the credential anew where the token endpoint refuses it', async () => {
    guarded('https://reef.test', 'https://reef.test/token', 'T');
    nock('https://reef.test')
      .get('/token')
      .query(true)
      .reply(401, { details: 'incorrect username or password' });
    nock('https://reef.test')
      .get('/token')
      .query(true)
      .matchHeader('authorization', basicHeader)
      .reply(200, { token: 'T' });
    await pull(client('https://reef.test', { credentials: new Rotating('stale', 'krill') }));
  });

  it('is denied where the token endpoint denies, in its words and without ours', async () => {
    nock('https://reef.test').get(path).reply(401, '', challenge('https://reef.test/token'));
    nock('https://reef.test')
      .get('/token')
      .query(true)
      .reply(401, { details: 'incorrect username or password' });
    const error = (await pull(client('https://reef.test', { credentials: whale })).catch(
      (e: unknown) => e,
    )) as RegistryError;
    expect(error.code).toBe('UPSTREAM_DENIED');
    expect(error.message).toContain('incorrect username or password');
    expect(JSON.stringify([error, error.message, error.stack])).not.toMatch(/krill|d2hhbGU6/);
  });

  it('sends Basic to ECR before it is asked', async () => {
    const url = 'https://123456789012.dkr.ecr.eu-west-1.amazonaws.com';
    nock(url).get(path).matchHeader('authorization', basicHeader).reply(200, manifest, type);
    await pull(client(url, { credentials: whale }));
    nock('https://proxied.test')
      .get(path)
      .matchHeader('authorization', basicHeader)
      .reply(200, manifest, type);
    await pull(client('https://proxied.test', { credentials: whale, preemptive: true }));
  });

  it("takes the ping's challenge where a request is refused without one", async () => {
    nock('https://gcr.io', nobody).get(path).reply(401);
    nock('https://gcr.io').get('/v2/').reply(401, '', challenge('https://gcr.io/v2/token'));
    nock('https://gcr.io').get('/v2/token').query(true).reply(200, { token: 'T' });
    nock('https://gcr.io')
      .get(path)
      .matchHeader('authorization', 'Bearer T')
      .reply(200, manifest, type);
    await pull(client('https://gcr.io'));
  });

  it('gets a token as nobody from a registry that it was redirected to', async () => {
    nock('https://front.test')
      .get(path)
      .reply(307, '', { location: `https://ghcr.test${path}` });
    guarded('https://ghcr.test', 'https://ghcr.test/token', 'T');
    nock('https://ghcr.test', nobody).get('/token').query(true).reply(200, { token: 'T' });
    await pull(client('https://front.test', { credentials: whale, preemptive: true }));
  });

  it('never sends the credentials of one registry to a mirror of another party', async () => {
    nock('https://mirror.test').get(path).reply(401, '', challenge('https://mirror.test/token'));
    nock('https://mirror.test', nobody).get('/token').query(true).reply(403);
    nock('https://reef.test').get(path).reply(503);
    const upstream = client('', {
      urls: ['https://reef.test', 'https://mirror.test'],
      credentials: whale,
    });
    await expect(pull(upstream)).rejects.toMatchObject({ code: 'UPSTREAM_DENIED' });
    expect(observer.warnings[0]).toContain('https://mirror.test gets no credentials');
  });

  it('puts the prefix of the URL into path and scope', async () => {
    nock('https://reef.test', nobody)
      .get('/v2/hub/library/reef/manifests/1')
      .reply(401, '', challenge('https://reef.test/token'));
    nock('https://reef.test')
      .get('/token')
      .query({ service: 'reef', scope: 'repository:hub/library/reef:pull' })
      .reply(200, { token: 'T' });
    nock('https://reef.test')
      .get('/v2/hub/library/reef/manifests/1')
      .matchHeader('authorization', 'Bearer T')
      .reply(200, manifest, type);
    await pull(client('https://reef.test/v2/hub'));
  });

  it('passes the 429 of a token endpoint on', async () => {
    nock('https://reef.test').get(path).reply(401, '', challenge('https://reef.test/token'));
    nock('https://reef.test')
      .get('/token')
      .query(true)
      .reply(429, 'slow down', { 'retry-after': '7' });
    await expect(pull(client('https://reef.test'))).rejects.toMatchObject({
      code: 'TOOMANYREQUESTS',
      retryAfter: 7,
    });
  });

  it('does not follow a token endpoint round in a circle', async () => {
    nock('https://reef.test').get(path).reply(401, '', challenge('https://reef.test/token'));
    nock('https://reef.test')
      .get('/token')
      .query(true)
      .reply(307, '', { location: 'https://reef.test/again' });
    nock('https://reef.test').get('/again').reply(307, '', { location: '/again' });
    await expect(pull(client('https://reef.test'))).rejects.toMatchObject({
      code: 'UPSTREAM_INVALID',
      message: expect.stringContaining('circle') as unknown,
    });
  });

  it.each([
    ['an endless answer', 'x'.repeat(70_000)],
    ['an HTML page', '<html></html>'],
    ['no token', '{}'],
  ])('refuses %s in place of a token', async (_what, body) => {
    nock('https://reef.test').get(path).reply(401, '', challenge('https://reef.test/token'));
    nock('https://reef.test').get('/token').query(true).reply(200, body);
    await expect(pull(client('https://reef.test'))).rejects.toMatchObject({
      code: 'UPSTREAM_INVALID',
    });
  });
});

/** Gives one password after the other, each until it is refused. */
class Rotating implements CredentialSource {
  readonly asked: string[] = [];
  readonly #passwords: string[];

  constructor(...passwords: string[]) {
    this.#passwords = passwords;
  }

  get(): Promise<Credential> {
    const [password = ''] = this.#passwords;
    if (this.asked.at(-1) !== password) this.asked.push(password);
    return Promise.resolve({ kind: 'basic', username: 'whale', password });
  }

  forget(): void {
    if (this.#passwords.length > 1) this.#passwords.shift();
  }
}
