import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  type KeyObject,
} from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AccessTokens } from '../../src/access/access-tokens.ts';
import type { Login } from '../../src/access/login.ts';
import { parseScope } from '../../src/access/scope.ts';
import { SigningKeys } from '../../src/access/signing-keys.ts';

const alice: Login = {
  account: 'alice',
  groups: ['devs'],
  scope: undefined,
  givenGroups: [],
  stamp: 'stamp',
  until: undefined,
};
const scope = parseScope(['repository:team/app:pull,push']);
const start = Date.parse('2026-11-21T12:00:00Z');

type Json = Record<string, unknown>;
const encode = (value: Json): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (part: string | undefined): Json =>
  JSON.parse(Buffer.from(part ?? '', 'base64url').toString()) as Json;

/** Signs any head and payload, rightly. */
function forge(head: Json, payload: Json, key: KeyObject): string {
  const input = `${encode(head)}.${encode(payload)}`;
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`;
}

describe('a token of ours', () => {
  let folder: string;
  let keys: SigningKeys;
  let ours: KeyObject;
  let tokens: AccessTokens;
  const clock = { now: start };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'baleen-tokens-'));
    keys = await SigningKeys.open({
      folder,
      times: { signs: 86_400_000, outlives: 86_400_000 },
      observer: { keysFailed: () => undefined },
    });
    const file = readFileSync(join(folder, `${keys.signing.kid}.json`), 'utf8');
    const { key } = JSON.parse(file) as { key: Json };
    ours = createPrivateKey({ key, format: 'jwk' });
  });
  afterAll(() => {
    keys.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    clock.now = start;
    tokens = new AccessTokens({ keys, service: 'baleen', ttl: 300_000, now: () => clock.now });
  });

  const issue = async (login = alice): Promise<string> => (await tokens.issue(login, scope)).token;

  /** A right token's parts, to be made wrong. */
  const parts = async (): Promise<{ head: Json; payload: Json }> => {
    const [head, payload] = (await issue()).split('.');
    return { head: decode(head), payload: decode(payload) };
  };

  it('says who may do what for how long, and is believed', async () => {
    const { token, expiresIn, issuedAt } = await tokens.issue(alice, scope);
    expect(expiresIn).toBe(300);
    expect(issuedAt.getTime()).toBe(start);
    expect(await tokens.verify(token)).toEqual({
      account: 'alice',
      givenGroups: [],
      stamp: 'stamp',
      scope,
      until: start + 300_000,
    });
    const { head, payload } = await parts();
    expect(head).toEqual({ alg: 'EdDSA', typ: 'JWT', kid: keys.signing.kid });
    expect(payload).toMatchObject({
      iss: 'baleen',
      sub: 'alice',
      aud: 'baleen',
      iat: start / 1000,
      nbf: start / 1000,
      exp: start / 1000 + 300,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
      access: [{ type: 'repository', name: 'team/app', actions: ['pull', 'push'] }],
    });
  });

  it('ends with what it was given for', async () => {
    const { expiresIn } = await tokens.issue({ ...alice, until: start + 60_500 }, scope);
    expect(expiresIn).toBe(60);
  });

  it('carries groups that somebody else vouched for, and no others', async () => {
    const token = await issue({ ...alice, givenGroups: ['gitlab:team'] });
    expect((await tokens.verify(token)).givenGroups).toEqual(['gitlab:team']);
  });

  it('is good for its time, and for the difference of two clocks, no longer', async () => {
    const token = await issue();
    clock.now = start + 309_000;
    await tokens.verify(token);
    clock.now = start + 311_000;
    await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    clock.now = start - 11_000;
    await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  it('is believed where it was signed like this, so that those below fail for what they are', async () => {
    const { head, payload } = await parts();
    await tokens.verify(forge(head, payload, ours));
  });

  it.each<[string, (head: Json, payload: Json) => [Json, Json]]>([
    ['another issuer', (head, payload) => [head, { ...payload, iss: 'https://a.example' }]],
    ['no issuer', (head, payload) => [head, { ...payload, iss: undefined }]],
    ['another audience', (head, payload) => [head, { ...payload, aud: 'other' }]],
    ['a part of the audience', (head, payload) => [head, { ...payload, aud: 'bale' }]],
    ['no audience', (head, payload) => [head, { ...payload, aud: undefined }]],
    ['no subject', (head, payload) => [head, { ...payload, sub: undefined }]],
    ['no end', (head, payload) => [head, { ...payload, exp: undefined }]],
    ['an end that is no number', (head, payload) => [head, { ...payload, exp: 'never' }]],
    ['no beginning', (head, payload) => [head, { ...payload, nbf: undefined }]],
    ['a beginning to come', (head, payload) => [head, { ...payload, nbf: start / 1000 + 60 }]],
    ['no access claim', (head, payload) => [head, { ...payload, access: undefined }]],
    ['an access claim of another form', (head, payload) => [head, { ...payload, access: '*' }]],
    ['no identity', (head, payload) => [head, { ...payload, jti: undefined }]],
    ['no key’s name', (head, payload) => [{ ...head, kid: undefined }, payload]],
    ['a key’s name that is a path', (head, payload) => [{ ...head, kid: '../../etc' }, payload]],
    ['an unknown key’s name', (head, payload) => [{ ...head, kid: 'A'.repeat(43) }, payload]],
    ['another type', (head, payload) => [{ ...head, typ: 'at+jwt' }, payload]],
    ['a critical header', (head, payload) => [{ ...head, crit: ['x'], x: 1 }, payload]],
    ['the name of another algorithm', (head, payload) => [{ ...head, alg: 'ES256' }, payload]],
  ])('is refused with %s, though it is signed with our key', async (_what, change) => {
    const { head, payload } = await parts();
    const token = forge(...change(head, payload), ours);
    await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  it('is refused with a wider scope than it was signed with', async () => {
    const [head, payload, signature] = (await issue()).split('.');
    const wider = { ...decode(payload), access: parseScope(['repository:secret/app:pull']) };
    const tampered = `${head}.${encode(wider)}.${signature}`;
    await expect(tokens.verify(tampered)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  it.each(['none', 'None', 'nOnE', ''])('is refused with the algorithm "%s"', async (alg) => {
    const { head, payload } = await parts();
    for (const signature of ['', 'AA']) {
      const token = `${encode({ ...head, alg })}.${encode(payload)}.${signature}`;
      await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    }
  });

  it('is refused where our public key was taken for a shared secret', async () => {
    const { head, payload } = await parts();
    const publicKey = createPublicKey(ours);
    const secrets = [
      publicKey.export({ type: 'spki', format: 'pem' }),
      publicKey.export({ type: 'spki', format: 'der' }),
      String(publicKey.export({ format: 'jwk' }).x),
      Buffer.from(String(publicKey.export({ format: 'jwk' }).x), 'base64url'),
    ];
    const input = `${encode({ ...head, alg: 'HS256' })}.${encode(payload)}`;
    for (const secret of secrets) {
      const signature = createHmac('sha256', secret).update(input).digest('base64url');
      await expect(tokens.verify(`${input}.${signature}`)).rejects.toMatchObject({
        code: 'UNAUTHORIZED',
      });
    }
  });

  it('is refused where it brings its own key along, in whatever header', async () => {
    const { head, payload } = await parts();
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const jwk = publicKey.export({ format: 'jwk' });
    for (const own of [
      { jwk },
      { jwk: { ...jwk, kid: keys.signing.kid } },
      { jku: 'https://attacker.example/keys' },
      { x5u: 'https://attacker.example/cert' },
      { x5c: ['MIIB'] },
    ]) {
      const token = forge({ ...head, ...own }, payload, privateKey);
      await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    }
  });

  it('is refused with another service’s', async () => {
    const other = new AccessTokens({ keys, service: 'other', ttl: 300_000, now: () => clock.now });
    const { token } = await other.issue(alice, scope);
    await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  it.each(['', '.', '..', '...', 'a.b.c', 'eyJ.eyJ.x', `${'A'.repeat(12_000)}.B.C`])(
    'is refused where it is none: %.20s',
    async (token) => {
      await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    },
  );

  it('is believed after a restart', async () => {
    const token = await issue();
    const again = await SigningKeys.open({
      folder,
      times: { signs: 86_400_000, outlives: 86_400_000 },
      observer: { keysFailed: () => undefined },
    });
    const restarted = new AccessTokens({
      keys: again,
      service: 'baleen',
      ttl: 300_000,
      now: () => clock.now,
    });
    expect((await restarted.verify(token)).account).toBe('alice');
    again.close();
  });
});
