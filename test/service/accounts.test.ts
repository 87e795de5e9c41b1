import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { hashSync } from 'bcryptjs';
import { decodeJwt } from 'jose';
import { stringify } from 'yaml';
import type { FailedLogin } from '../../src/access/observer.ts';
import type { Presented } from '../../src/access/authenticator.ts';
import { parseScope } from '../../src/access/scope.ts';
import type { AuthConfig } from '../../src/config/auth-config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { LiveAccounts } from '../../src/service/accounts.ts';
import { TokenIssuer } from '../support/token-issuer.ts';
import { waitFor } from '../support/wait-for.ts';

const cheap = (password: string): string => hashSync(password, 4);

let folder: string;
let issuer: TokenIssuer;
let accounts: LiveAccounts;
const told = {
  failed: [] as FailedLogin[],
  reads: [] as (Error | undefined)[],
  issuers: [] as unknown[],
};

function configOf(auth: object): AuthConfig {
  const file = join(folder, 'config.yaml');
  writeFileSync(file, stringify({ auth }));
  return loadConfig({ file, env: {} }).auth!;
}

async function open(auth: object): Promise<LiveAccounts> {
  accounts = await LiveAccounts.open({
    auth: configOf(auth),
    directory: folder,
    grantable: (caller, _type, name) => name.startsWith(caller.account),
    env: {},
    observer: {
      loggedIn: () => undefined,
      loginFailed: (each) => void told.failed.push(each),
      tokenIssued: () => undefined,
      accountsRead: (_count, error) => void told.reads.push(error),
      keysFailed: (error) => void told.failed.push(error as FailedLogin),
      issuerFailed: (_name, error) => void told.issuers.push(error),
    },
  });
  return accounts;
}

const bearer = (token: string): Presented => presented(`Bearer ${token}`);
const basic = (username: string, password: string): Presented =>
  presented(`Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`);
function presented(authorization?: string): Presented {
  return { authorization, certificate: undefined, client: '127.0.0.1' };
}

/** Who it is, or the code of the refusal. */
async function who(given: Presented) {
  try {
    const { account, groups, scope } = await accounts.identify(given);
    return { account, groups, scope };
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return error.code;
  }
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'baleen-accounts-'));
  issuer = await TokenIssuer.start();
  writeFileSync(join(folder, 'htpasswd'), `alice:${cheap('secret')}\nbob:${cheap('hunter2')}\n`);
  for (const list of Object.values(told)) list.length = 0;
});
afterEach(async () => {
  await accounts.close();
  await issuer[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const withPasswords = () => ({
  htpasswd: join(folder, 'htpasswd'),
  groups: { devs: ['alice', 'carol'], all: ['alice', 'bob'] },
});
const withIssuer = (settings: object = {}) => ({
  groups: { ci: ['gitlab:job-7'] },
  issuers: { gitlab: { issuer: issuer.url, audience: 'baleen', ...settings } },
});

describe('accounts with passwords', () => {
  beforeEach(() => open(withPasswords()));

  it('are known with their groups, and who brings nothing is anonymous', async () => {
    const alice = { account: 'alice', groups: ['devs', 'all'], scope: undefined };
    expect(await who(basic('alice', 'secret'))).toEqual(alice);
    expect(await who(basic('alice', 'hunter2'))).toBe('UNAUTHORIZED');
    expect(await who(presented())).toEqual({
      account: 'anonymous',
      groups: [],
      scope: undefined,
    });
    expect(accounts.identify(basic('alice', 'secret'))).toBe(
      accounts.identify(basic('alice', 'secret')),
    );
  });

  it.each([
    '',
    'Basic',
    'Basic !',
    'Basic Og==',
    'Negotiate abc',
    'Bearer ',
    'Digest username="a"',
  ])('are not found with the header "%s"', async (authorization) => {
    expect(await who(presented(authorization))).toBe('UNAUTHORIZED');
  });

  it('get tokens for what the rules allow, which say who they are', async () => {
    const wanted = parseScope(['repository:alice/app:pull,push repository:bob/app:pull']);
    const { token, expiresIn, caller } = await accounts.issue(basic('alice', 'secret'), wanted);
    expect(expiresIn).toBe(300);
    expect(caller.account).toBe('alice');
    const scope = parseScope(['repository:alice/app:pull,push']);
    expect(await who(bearer(token))).toEqual({ account: 'alice', groups: ['devs', 'all'], scope });
    expect(accounts.identify(bearer(token))).toBe(accounts.identify(bearer(token)));
  });

  it('get every action for "*", and nothing for what is no repository of theirs', async () => {
    const wanted = parseScope(['repository:alice/app:*', 'registry:catalog:*']);
    const { token } = await accounts.issue(basic('alice', 'secret'), wanted);
    expect(decodeJwt(token)['access']).toEqual(
      parseScope(['repository:alice/app:pull,push,delete']),
    );
  });

  it('get a token for being nobody, too', async () => {
    const { token } = await accounts.issue(presented(), parseScope(['repository:anonymous:pull']));
    const scope = parseScope(['repository:anonymous:pull']);
    expect(await who(bearer(token))).toEqual({ account: 'anonymous', groups: [], scope });
  });

  it('cannot live on a token for ever', async () => {
    const { token } = await accounts.issue(basic('alice', 'secret'), []);
    await expect(accounts.issue(bearer(token), [])).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(await who(basic('alice', token))).toBe('UNAUTHORIZED');
  });

  it('have tokens that another Baleen takes which shares the keys, and no other', async () => {
    const keys = join(folder, 'shared');
    await accounts.close();
    const one = await open({ ...withPasswords(), tokens: { keys } });
    const { token } = await one.issue(basic('alice', 'secret'), []);
    const other = await open({ ...withPasswords(), tokens: { keys } });
    expect(await who(bearer(token))).toMatchObject({ account: 'alice' });
    await other.close();
    const stranger = await open({ ...withPasswords(), tokens: { keys: join(folder, 'own') } });
    expect(await who(bearer(token))).toBe('UNAUTHORIZED');
    await stranger.close();
    accounts = one;
  });

  it('lose their tokens and their old password with a new one, without a restart', async () => {
    const { token } = await accounts.issue(basic('alice', 'secret'), []);
    expect(await who(bearer(token))).toMatchObject({ account: 'alice' });
    writeFileSync(join(folder, 'new'), `alice:${cheap('better')}\ncarol:${cheap('c')}\n`);
    renameSync(join(folder, 'new'), join(folder, 'htpasswd'));
    await waitFor('the file to be read', () => told.reads.length > 0);
    expect(await who(bearer(token))).toBe('UNAUTHORIZED');
    expect(await who(basic('alice', 'secret'))).toBe('UNAUTHORIZED');
    expect(await who(basic('alice', 'better'))).toMatchObject({ account: 'alice' });
    expect(await who(basic('bob', 'hunter2'))).toBe('UNAUTHORIZED');
    expect(await who(basic('carol', 'c'))).toMatchObject({ groups: ['devs'] });
  });

  it('stay as they are while their file is broken or away', async () => {
    writeFileSync(join(folder, 'htpasswd'), `alice:${cheap('better')}\nbob:{SHA}abc\n`);
    await waitFor('the file to be refused', () => told.reads.length > 0);
    expect(told.reads[0]?.message).toContain('line 2: bob has no bcrypt hash');
    expect(await who(basic('alice', 'secret'))).toMatchObject({ account: 'alice' });
    rmSync(join(folder, 'htpasswd'));
    await waitFor('the file to be missed', () => told.reads.length > 1);
    expect(await who(basic('bob', 'hunter2'))).toMatchObject({ account: 'bob' });
    writeFileSync(join(folder, 'htpasswd'), `alice:${cheap('better')}\n`);
    await waitFor('the file to be read', () => told.reads.at(-1) === undefined);
    expect(await who(basic('alice', 'better'))).toMatchObject({ account: 'alice' });
  });

  it('follow the configuration, all of it or nothing', async () => {
    await who(basic('alice', 'secret'));
    const prepared = accounts.prepare(configOf({ ...withPasswords(), groups: { ops: ['alice'] } }));
    expect(await who(basic('alice', 'secret'))).toMatchObject({ groups: ['devs', 'all'] });
    prepared();
    expect(await who(basic('alice', 'secret'))).toMatchObject({ groups: ['ops'] });
    const missing = configOf({ htpasswd: join(folder, 'missing') });
    expect(() => accounts.prepare(missing)).toThrow(
      'there is no such file; baleen user add makes it',
    );
    expect(await who(basic('alice', 'secret'))).toMatchObject({ groups: ['ops'] });
  });

  it('name nothing secret where they tell of failures', async () => {
    await who(basic('alice', 'guessed'));
    const { token } = await accounts.issue(basic('alice', 'secret'), []);
    await who(bearer(`${token}x`));
    const text = JSON.stringify(told.failed);
    expect(told.failed).toHaveLength(2);
    expect(text).not.toContain('guessed');
    expect(text).not.toContain(token.slice(0, 40));
  });
});

describe('accounts of an outside issuer', () => {
  it('are known by its tokens, in front of which its name stands', async () => {
    await open(withIssuer({ groups_claim: 'teams' }));
    const token = await issuer.sign({ teams: ['a', 'b', 7] });
    const groups = ['ci', 'gitlab:a', 'gitlab:b'];
    expect(await who(bearer(token))).toEqual({ account: 'gitlab:job-7', groups, scope: undefined });
    expect(await who(basic('whatever', token))).toMatchObject({ account: 'gitlab:job-7' });
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  it('get tokens of ours that end with theirs, and carry their groups', async () => {
    await open(withIssuer({ groups_claim: 'teams' }));
    const exp = Math.floor(Date.now() / 1000) + 100;
    const given = await issuer.sign({ teams: ['a'], exp });
    const wanted = parseScope(['repository:gitlab:job-7/app:pull']);
    const { token, expiresIn } = await accounts.issue(basic('ci', given), wanted);
    expect(expiresIn).toBeLessThanOrEqual(100);
    expect(await who(bearer(token))).toEqual({
      account: 'gitlab:job-7',
      groups: ['ci', 'gitlab:a'],
      scope: wanted,
    });
  });

  it('are narrowed by an access claim, and so is what they get', async () => {
    await open(withIssuer());
    const access = parseScope(['repository:gitlab:job-7/app:pull']);
    const given = await issuer.sign({ access });
    expect(await who(bearer(given))).toMatchObject({ scope: access });
    const wanted = parseScope(['repository:gitlab:job-7/app:pull,push']);
    const { token } = await accounts.issue(basic('ci', given), wanted);
    expect(decodeJwt(token)['access']).toEqual(access);
  });

  it.each<[string, object, object, string]>([
    ['by a claim of another name', { account_claim: 'email' }, { email: 'a@b' }, 'gitlab:a@b'],
    ['by a path', { account_claim: 'user.login' }, { user: { login: 'a' } }, 'gitlab:a'],
    ['by a name with dots', { account_claim: 'x.y/z' }, { 'x.y/z': 'a' }, 'gitlab:a'],
    ['by a number', { account_claim: 'id' }, { id: 7 }, 'gitlab:7'],
    ['with another prefix', { prefix: 'ci/' }, {}, 'ci/job-7'],
    ['with none', { prefix: '' }, {}, 'job-7'],
  ])('are named %s', async (_how, settings, claims, account) => {
    await open(withIssuer(settings));
    expect(await who(bearer(await issuer.sign({ ...claims })))).toMatchObject({ account });
  });

  it.each<[string, object, object]>([
    ['for somebody else', {}, { aud: 'other' }],
    ['for nobody', {}, { aud: undefined }],
    ['of another issuer', {}, { iss: 'https://other.example' }],
    ['of ours by its own word', {}, { iss: 'baleen' }],
    ['that has expired', {}, { exp: Math.floor(Date.now() / 1000) - 3_600 }],
    ['that never ends', {}, { exp: undefined }],
    ['that is not in force yet', {}, { nbf: Math.floor(Date.now() / 1000) + 3_600 }],
    ['without an account', { account_claim: 'email' }, {}],
    ['with an empty account', {}, { sub: '' }],
    ['with an account that is none', {}, { sub: { a: 1 } }],
    ['with an account that nobody can see', {}, { sub: 'a\u202Eb' }],
    ['for anonymous', { prefix: '' }, { sub: 'anonymous' }],
    ['with an account out of the prototype', { account_claim: 'constructor.name' }, {}],
    ['with an access claim that cannot be read', {}, { access: 'all' }],
  ])('are not known by a token %s', async (_what, settings, claims) => {
    await open(withIssuer(settings));
    expect(await who(bearer(await issuer.sign({ ...claims })))).toBe('UNAUTHORIZED');
  });

  it('are not known by a token that another issuer’s key has signed', async () => {
    await using other = await TokenIssuer.start();
    await open({
      issuers: {
        gitlab: { issuer: issuer.url, audience: 'baleen' },
        other: { issuer: other.url, audience: 'baleen' },
      },
    });
    expect(await who(bearer(await other.sign()))).toMatchObject({ account: 'other:job-7' });
    expect(await who(bearer(await other.sign({ iss: issuer.url })))).toBe('UNAUTHORIZED');
  });

  it('cannot be known while their keys were never to be had, and the issuer is not asked each time', async () => {
    await open(withIssuer());
    issuer.answers.set('/keys', { status: 503, body: 'down' });
    const token = await issuer.sign();
    expect(await who(bearer(token))).toBe('UNAVAILABLE');
    expect(await who(bearer(token))).toBe('UNAVAILABLE');
    // The second time it was not asked again so soon.
    expect(issuer.asked.filter((path) => path === '/keys')).toHaveLength(1);
    expect(told.issuers).toHaveLength(1);
  });

  it('are still known when the issuer goes down after its keys were fetched', async () => {
    await open(withIssuer());
    await who(bearer(await issuer.sign()));
    issuer.answers.set('/keys', { status: 503, body: 'down' });
    issuer.answers.set('/.well-known/openid-configuration', { status: 503, body: 'down' });
    const token = await issuer.sign({ sub: 'job-8' });
    expect(await who(bearer(token))).toMatchObject({ account: 'gitlab:job-8' });
  });

  it.each([
    ['is another issuer’s', { issuer: 'https://a.example', jwks_uri: 'https://a.example/keys' }],
    ['leads nowhere', { issuer: '' }],
  ])('are not known where the discovery document %s', async (_what, document) => {
    await open(withIssuer());
    const body = JSON.stringify({ ...document, issuer: document.issuer || issuer.url });
    issuer.answers.set('/.well-known/openid-configuration', { status: 200, body });
    expect(await who(bearer(await issuer.sign()))).toBe('UNAVAILABLE');
  });

  it.each([
    ['an endless document', `{"keys":[],"x":"${'x'.repeat(600_000)}"}`],
    ['a page', '<html>'],
    ['no keys', '{"keys":[]}'],
    ['a secret in place of a key', '{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"key-1"}]}'],
  ])('are not known where the keys are %s', async (_what, body) => {
    await open(withIssuer());
    issuer.answers.set('/keys', { status: 200, body });
    expect(await who(bearer(await issuer.sign()))).toBe('UNAVAILABLE');
  });

  it('may have their keys in a file', async () => {
    const file = join(folder, 'keys.json');
    writeFileSync(file, JSON.stringify({ keys: issuer.keys }));
    await open(withIssuer({ jwks_file: file }));
    expect(await who(bearer(await issuer.sign()))).toMatchObject({ account: 'gitlab:job-7' });
    expect(issuer.asked).toEqual([]);
  });

  it('have clients sent to their own token endpoint where there is one', async () => {
    await open(withIssuer({ realm: 'https://sso.example/token' }));
    expect(accounts.authority).toEqual({ realm: 'https://sso.example/token', service: 'baleen' });
  });
});
