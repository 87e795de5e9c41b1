import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { hashSync } from 'bcryptjs';
import fc from 'fast-check';
import { decodeJwt } from 'jose';
import { stringify } from 'yaml';
import { AccessRules } from '../../src/access/rules.ts';
import { loadConfig } from '../../src/config/load.ts';
import { AccessGuard } from '../../src/http/access-guard.ts';
import { createApp } from '../../src/http/app.ts';
import { wantedScope } from '../../src/http/challenge.ts';
import type { RequestSummary } from '../../src/http/observer.ts';
import { HttpServer } from '../../src/http/server.ts';
import { formatScope } from '../../src/access/scope.ts';
import { RouteTable } from '../../src/registry/resolve-route.ts';
import { LiveAccounts } from '../../src/service/accounts.ts';
import { send, type Answer, type Sending } from '../support/http-send.ts';
import { nothingThere } from '../support/registry-app.ts';

const table = new RouteTable([], undefined, (name) => name.startsWith('local/'));
const guard = new AccessGuard(
  table,
  new AccessRules([
    { accounts: ['alice'], groups: [], repositories: ['local/**'], actions: ['pull', 'push'] },
    { accounts: ['anonymous'], groups: [], repositories: ['local/open'], actions: ['pull'] },
  ]),
);

let folder: string;
let accounts: LiveAccounts;
let server: HttpServer;
let url: string;
const ended: RequestSummary[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'baleen-accounts-'));
  const htpasswd = join(folder, 'htpasswd');
  writeFileSync(htpasswd, `alice:${hashSync('secret', 4)}\nbob:${hashSync('hunter2', 4)}\n`);
  const file = join(folder, 'config.yaml');
  writeFileSync(file, stringify({ auth: { htpasswd, failures: { allowed: 3 } } }));
  accounts = await LiveAccounts.open({
    auth: loadConfig({ file, env: {} }).auth!,
    directory: folder,
    grantable: (...what) => guard.grantable(...what),
    env: {},
    observer: {
      loggedIn: () => undefined,
      loginFailed: () => undefined,
      tokenIssued: () => undefined,
      accountsRead: () => undefined,
      keysFailed: () => undefined,
      issuerFailed: () => undefined,
    },
  });
  const app = createApp({
    table,
    content: nothingThere,
    accounts,
    guard,
    listRepositories: () => Promise.resolve(['local/app', 'local/open']),
    observer: {
      requestEnded: (summary) => void ended.push(summary),
      requestFailed: () => undefined,
    },
  });
  server = await HttpServer.listen(
    app,
    {
      host: '127.0.0.1',
      port: 0,
      headersTimeout: 5_000,
      keepAliveTimeout: 5_000,
      stallTimeout: 10_000,
      maxHeaderSize: 16_384,
    },
    () => undefined,
  );
  url = `http://127.0.0.1:${server.port}`;
});
afterAll(async () => {
  await server.drain(0);
  await accounts.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => void (ended.length = 0));

const basic = (pair: string): Sending => ({
  headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` },
});
const bearer = (token: string): Sending => ({ headers: { authorization: `Bearer ${token}` } });
const get = (path: string, sending?: Sending): Promise<Answer> => send('GET', url + path, sending);
const post = (form: Record<string, string> | string): Promise<Answer> =>
  send('POST', `${url}/auth/token`, {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(typeof form === 'string' ? form : new URLSearchParams(form).toString()),
  });
const json = ({ body }: Answer) => JSON.parse(body.toString()) as Record<string, unknown>;
const challenge = ({ headers }: Answer): string | undefined => headers['www-authenticate'];
const token = async (query: string, sending?: Sending): Promise<string> =>
  String(json(await get(`/auth/token?${query}`, sending))['token']);

describe('GET /v2/ where there are accounts', () => {
  it('challenges who brings nothing, whom dockerd and docker login would believe otherwise', async () => {
    const answer = await get('/v2/');
    expect(answer).toMatchObject({ status: 401, code: 'UNAUTHORIZED' });
    expect(challenge(answer)).toBe(`Bearer realm="${url}/auth/token",service="baleen"`);
    expect(answer.headers['docker-distribution-api-version']).toBe('registry/2.0');
  });

  it('answers who brings a right password, or any token of ours, be it for nobody', async () => {
    expect((await get('/v2/', basic('alice:secret'))).status).toBe(200);
    expect((await get('/v2/', bearer(await token('', basic('alice:secret'))))).status).toBe(200);
    expect((await get('/v2/', bearer(await token('')))).status).toBe(200);
  });

  it('refuses a wrong password and a broken token, in words', async () => {
    const wrong = await get('/v2/', basic('alice:wrong'));
    expect(wrong).toMatchObject({ status: 401, code: 'UNAUTHORIZED' });
    expect(wrong.body.toString()).toContain('incorrect username or password');
    expect(challenge(wrong)).not.toContain('error');
    expect(challenge(await get('/v2/', bearer('x')))).toMatch(/,error="invalid_token"$/);
  });

  it('sends clients where they came from, whatever they call it', async () => {
    const realm = async (headers: Record<string, string>): Promise<string | undefined> =>
      /realm="([^"]*)"/.exec(challenge(await get('/v2/', { headers })) ?? '')?.[1];
    expect(await realm({ host: 'reg.example:5000' })).toBe('http://reg.example:5000/auth/token');
    expect(await realm({ host: '[::1]:5000' })).toBe('http://[::1]:5000/auth/token');
    expect(await realm({ host: 'a', 'x-forwarded-proto': 'https' })).toBe('https://a/auth/token');
    for (const host of ['a"b', 'a b', 'a/b', 'a,b', '']) {
      expect(await realm({ host })).toBe(`${url}/auth/token`);
    }
  });

  it('leaves the welcome page and Docker’s old ping to everybody', async () => {
    expect((await get('/')).status).toBe(200);
    expect((await get('/v1/_ping')).status).toBe(200);
  });
});

describe('a request where there are accounts', () => {
  it.each([
    ['GET', '/v2/local/app/manifests/v1', 'repository:local/app:pull'],
    ['HEAD', '/v2/local/app/blobs/sha256:abc', 'repository:local/app:pull'],
    ['GET', '/v2/local/app/tags/list', 'repository:local/app:pull'],
    ['PUT', '/v2/local/app/manifests/v1', 'repository:local/app:pull,push'],
    ['POST', '/v2/local/app/blobs/uploads/', 'repository:local/app:pull,push'],
    ['PATCH', '/v2/local/app/blobs/uploads/1', 'repository:local/app:pull,push'],
    ['GET', '/v2/local/app/blobs/uploads/1', 'repository:local/app:pull,push'],
    ['DELETE', '/v2/local/app/blobs/uploads/1', 'repository:local/app:pull,push'],
    ['DELETE', '/v2/local/app/manifests/v1', 'repository:local/app:delete'],
    [
      'POST',
      '/v2/local/app/blobs/uploads/?mount=sha256:abc&from=local/base',
      'repository:local/app:pull,push repository:local/base:pull',
    ],
    ['POST', '/v2/a/blobs/uploads/?from=a%22b', 'repository:a:pull,push'],
    ['GET', '/v2/manifests/blobs/manifests/v1', 'repository:manifests/blobs:pull'],
    ['GET', '/v2/localhost:5000/app/manifests/v1', 'repository:localhost:5000/app:pull'],
    ['GET', '/v2/_catalog?n=5', 'registry:catalog:*'],
    ['GET', '/v2/', ''],
    ['GET', '/v2/A"B/manifests/v1', ''],
  ])('is told which token it needs: %s %s', (method, path, scope) => {
    expect(formatScope(wantedScope({ method, url: path }, undefined))).toBe(scope);
  });

  it('is told a scope that can stand in quotes, whatever its path is', () => {
    const part = fc.oneof(
      fc.string(),
      fc.constantFrom('/v2/', '/blobs/', '/manifests/', '/uploads/', '?from=', '&mount=', 'a'),
    );
    fc.assert(
      fc.property(fc.array(part), fc.constantFrom('GET', 'POST', 'DELETE'), (parts, method) => {
        const url = `/v2/${parts.join('')}`;
        const scope = formatScope(wantedScope({ method, url }, undefined));
        expect(scope).toMatch(/^[a-z0-9._:/*, -]*$/);
      }),
    );
  });

  it.each([
    '/v2/%22,realm=%22http:%2F%2Fevil/manifests/latest',
    '/v2/a%0d%0aX-Evil:1/manifests/latest',
    '/v2/%E2%82%AC/manifests/latest?ns=nowhere',
    `/v2/${'a/'.repeat(2_000)}a/manifests/latest`,
  ])('is refused in the usual form where its name can be none (path %#)', async (path) => {
    const answer = await get(path);
    expect(answer).toMatchObject({ status: 400, code: 'NAME_INVALID' });
    expect(answer.headers).not.toHaveProperty('www-authenticate');
    expect(answer.headers).not.toHaveProperty('x-evil');
  });

  it('is told the scope with the upstream that its path begins with', () => {
    const request = { method: 'GET', url: '/v2/org/app/manifests/v1' };
    expect(formatScope(wantedScope(request, 'ghcr.io'))).toBe('repository:ghcr.io/org/app:pull');
  });

  it('is challenged for its scope before and after anything is known of it', async () => {
    const path = '/v2/local/app/tags/list';
    const scope = 'scope="repository:local/app:pull"';
    expect(challenge(await get(path))).toContain(scope);
    expect(challenge(await get(path, bearer('x')))).toContain(`${scope},error="invalid_token"`);
    const other = await token('scope=repository:local/other:pull', basic('alice:secret'));
    const narrow = await get(path, bearer(other));
    expect(narrow.status).toBe(401);
    expect(challenge(narrow)).toContain(`${scope},error="insufficient_scope"`);
  });

  it('is let through to what its account may, with a password or a token, and not beyond', async () => {
    const scope = 'scope=repository:local/app:pull,push';
    const alice = bearer(await token(scope, basic('alice:secret')));
    const bob = bearer(await token(scope, basic('bob:hunter2')));
    const path = '/v2/local/app/tags/list';
    // 500 is this test's content, which is not to be reached otherwise.
    expect((await get(path, alice)).status).toBe(500);
    expect((await get(path, basic('alice:secret'))).status).toBe(500);
    expect(await get(path, bob)).toMatchObject({ status: 403, code: 'DENIED' });
    expect(await get(path, basic('bob:hunter2'))).toMatchObject({ status: 403, code: 'DENIED' });
    expect((await get('/v2/local/open/tags/list')).status).toBe(500);
    expect(ended.map(({ context }) => context.caller.account)).toEqual(
      expect.arrayContaining(['alice', 'bob', 'anonymous']),
    );
  });

  it('is refused with heads that are too large, and the server lives', async () => {
    const large = await get('/v2/', bearer('x'.repeat(15_000)));
    expect(large).toMatchObject({ status: 401, code: 'UNAUTHORIZED' });
    expect((await get('/v2/', bearer('x'.repeat(17_000)))).status).toBe(431);
    const socket = connect(server.port, '127.0.0.1');
    const heads = Array.from({ length: 200 }, (_, index) => `Authorization: Bearer ${index}\r\n`);
    socket.write(`GET /v2/ HTTP/1.1\r\nHost: a\r\n${heads.join('')}Connection: close\r\n\r\n`);
    const parts: Buffer[] = [];
    for await (const part of socket) parts.push(part as Buffer);
    expect(Buffer.concat(parts).toString()).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('has to wait after too many wrong passwords, at either door', async () => {
    const codes: (string | undefined)[] = [];
    for (const guess of ['1', '2', '3', '4', '5']) {
      codes.push((await get('/v2/', basic(`carol:${guess}`))).code);
    }
    expect(codes.slice(0, 4)).toEqual(Array.from({ length: 4 }, () => 'UNAUTHORIZED'));
    const throttled = await get('/auth/token', basic('carol:6'));
    expect(throttled).toMatchObject({ status: 429, code: 'TOOMANYREQUESTS' });
    expect(Number(throttled.headers['retry-after'])).toBeGreaterThan(0);
    expect(throttled.headers['www-authenticate']).toBeUndefined();
  });
});

describe('the token endpoint', () => {
  it('answers as docker, podman and containerd read it, and to nobody’s cache', async () => {
    const query = 'account=alice&client_id=docker&offline_token=true&service=baleen';
    const answer = await get(`/auth/token?${query}`, basic('alice:secret'));
    expect(answer.status).toBe(200);
    expect(answer.headers['cache-control']).toBe('no-store');
    const given = json(answer);
    expect(given).toMatchObject({ token: given['access_token'], expires_in: 300 });
    expect(Date.parse(String(given['issued_at']))).toBeGreaterThan(Date.now() - 60_000);
    expect(ended.at(-1)?.context.caller.account).toBe('alice');
  });

  it.each([
    [
      'scope=repository:local/a:pull&scope=repository:local/b:push,pull',
      ['pull'],
      ['push', 'pull'],
    ],
    ['scope=repository:local/a:pull%20repository:local/b:push,pull', ['pull'], ['push', 'pull']],
  ])('takes several scopes: %s', async (query, a, b) => {
    const { access } = decodeJwt(await token(query, basic('alice:secret')));
    expect(access).toEqual([
      { type: 'repository', name: 'local/a', actions: a },
      { type: 'repository', name: 'local/b', actions: b },
    ]);
  });

  it('gives out what the rules allow, and leaves out the rest without a word', async () => {
    const query =
      'scope=repository:local/a:pull,delete&scope=repository:other/b:pull&scope=registry:catalog:*' +
      '&scope=repository(plugin):local/a:pull&scope=nonsense:a:pull';
    const { access } = decodeJwt(await token(query, basic('alice:secret')));
    expect(access).toEqual([
      { type: 'repository', name: 'local/a', actions: ['pull'] },
      { type: 'registry', name: 'catalog', actions: ['*'] },
    ]);
    const open = decodeJwt(await token('scope=repository:local/open:pull,push'));
    expect(open['access']).toEqual([{ type: 'repository', name: 'local/open', actions: ['pull'] }]);
    expect(decodeJwt(await token('scope=repository:local/a:pull'))['access']).toEqual([]);
  });

  it.each([
    ['wrong password', 'alice:wrong'],
    ['no such account', 'mallory:secret'],
  ])('refuses with 401: %s', async (_what, pair) => {
    const answer = await get('/auth/token', basic(pair));
    expect(answer).toMatchObject({ status: 401, code: 'UNAUTHORIZED' });
    expect(challenge(answer)).toBe('Basic realm="baleen"');
  });

  it.each([
    'scope=repository',
    'service=other.example',
    `scope=${'repository:a:pull '.repeat(200)}`,
  ])('refuses with 400: %.40s', async (query) => {
    expect((await get(`/auth/token?${query}`)).status).toBe(400);
  });

  it('takes a form, as containerd tries first', async () => {
    const answer = await post({
      grant_type: 'password',
      username: 'alice',
      password: 'secret',
      service: 'baleen',
      client_id: 'containerd-client',
      scope: 'repository:local/a:pull repository:local/b:pull',
      access_type: 'offline',
    });
    expect(answer.status).toBe(200);
    const given = json(answer);
    expect(given).toMatchObject({ token_type: 'Bearer', expires_in: 300 });
    expect(given['refresh_token']).toBeUndefined();
    expect(decodeJwt(String(given['access_token']))['access']).toHaveLength(2);
  });

  it.each<[string, Record<string, string> | string, number, string]>([
    [
      'a wrong password',
      { grant_type: 'password', username: 'bob', password: 'x' },
      401,
      'invalid_grant',
    ],
    ['no password', { grant_type: 'password', username: 'bob' }, 400, 'invalid_request'],
    ['no grant', { username: 'alice', password: 'secret' }, 400, 'invalid_request'],
    ['nothing', '', 400, 'invalid_request'],
    [
      'a refresh token',
      { grant_type: 'refresh_token', refresh_token: 'x' },
      400,
      'unsupported_grant_type',
    ],
    ['a form that is too large', 'x'.repeat(40_000), 413, 'invalid_request'],
    ['a form of a thousand fields', 'a=1&'.repeat(1_000), 413, 'invalid_request'],
  ])('refuses a form with %s', async (_what, form, status, error) => {
    const answer = await post(form);
    expect(answer.status).toBe(status);
    expect(json(answer)).toMatchObject({ error });
    expect(answer.body.toString()).not.toContain('secret');
  });

  it('is nowhere else, and takes no other method', async () => {
    for (const path of ['/auth/token/', '/auth', '/Auth/Token', '/v2/auth/token']) {
      expect((await get(path)).status).toBeGreaterThanOrEqual(400);
    }
    expect((await send('PUT', `${url}/auth/token`)).status).toBe(405);
    expect((await send('HEAD', `${url}/auth/token`)).status).toBe(200);
  });
});
