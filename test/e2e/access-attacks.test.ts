import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import bcrypt from 'bcryptjs';
import { Baleen } from '../support/baleen.ts';
import { ask, type Answer, type Question } from '../support/permissions/ask.ts';
import { fetchToken, realmOf, type Realm } from '../support/permissions/tokens.ts';
import {
  access,
  basicOf,
  images,
  passwordOf,
  PermissionWorld,
  type Account,
  type Place,
} from '../support/permissions/world.ts';
import { artifactOf, indexOf, seededImage, type Content } from '../support/images.ts';
import { push } from '../support/push.ts';
import { rawRequest } from '../support/raw-request.ts';
import { suiteResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

const resources = suiteResources();
let world: PermissionWorld;
let port: number;
let realm: Realm;

beforeAll(async () => {
  world = resources.use(await PermissionWorld.start());
  port = world.baleen.port;
  realm = await realmOf(port);
  // All that is private is in the cache: only the rules stand before it.
  for (const [name, place] of [
    ['corp.example/team/app', 'private'],
    ['library/whale', 'public'],
    ['local/closed', 'closed'],
  ] as const) {
    const blobs = images[place].blobs.map(({ digest }) => `blobs/${digest}`);
    for (const path of ['manifests/v1', ...blobs]) {
      expect((await as('root', { path: `/v2/${name}/${path}` })).status).toBe(200);
    }
  }
});

type Asked = Partial<Question> & { readonly path: string };

/** Asks with an account's password, or without any. */
function as(account: Account, { method = 'GET', headers = {}, ...asked }: Asked): Promise<Answer> {
  const authorization = basicOf(account);
  return ask(port, {
    method,
    ...asked,
    headers: { ...headers, ...(authorization !== undefined && { authorization }) },
  });
}

function bearing(token: string, { method = 'GET', headers = {}, ...asked }: Asked) {
  const authorization = `Bearer ${token}`;
  return ask(port, { method, ...asked, headers: { ...headers, authorization } });
}

function manifest(place: Place): string {
  return images[place].manifest.bytes.toString('latin1');
}

/** What only few may see. */
const secrets = [manifest('closed'), manifest('private')];

describe('who may not pull from an upstream', () => {
  const long = 'a'.repeat(250);

  it.each([
    '/v2/team/app/manifests/v1?ns=corp.example',
    '/v2/TEAM/app/manifests/v1?ns=corp.example',
    '/v2/team/app/blobs/sha256:0?ns=corp.example',
    '/v2/team/app/tags/list?ns=corp.example&n=x',
    '/v2/corp.example:5000/team/app/manifests/v1',
    `/v2/team/${long}/${long}/manifests/v1?ns=corp.example`,
    '/corp.example/v2/',
    '/corp.example/v2/team/app/manifests/v1',
    '/corp.example/v2/TEAM/app/manifests/v1',
    '/corp.example/v2/team/app/tags/list',
  ])('does not learn whether it is there (path %#)', async (path) => {
    for (const account of ['anonymous', 'nora'] as const) {
      const elsewhere = path.replace('corp.example', 'corp.nothere');
      const [there, nowhere] = [
        await as(account, { path }),
        await as(account, { path: elsewhere }),
      ];
      expect(tellTale(there)).toEqual(tellTale(nowhere));
    }
  });

  it('does not learn by a list of what is there', async () => {
    const [there, nowhere] = [
      await as('rita', { path: '/v2/_catalog?ns=corp.example' }),
      await as('rita', { path: '/v2/_catalog?ns=corp.nothere' }),
    ];
    expect(there.status).toBe(200);
    expect(tellTale(there)).toEqual(tellTale(nowhere));
  });

  it('does not learn by a name that is too long for any other', async () => {
    const [there, nowhere] = [
      await as('anonymous', { path: `/v2/corp.example/${long}/manifests/v1` }),
      await as('anonymous', { path: `/v2/corp.nothere/${long}/manifests/v1` }),
    ];
    expect(tellTale(there)).toEqual(tellTale(nowhere));
  });
});

it('leaves others room to push while one account begins uploads without end', async () => {
  const folder = resources.use(tempDir('greedy'));
  const htpasswd = join(folder.path, 'htpasswd');
  const lines = (['walter', 'root'] as const).map(
    (name) => `${name}:${bcrypt.hashSync(passwordOf(name), 4)}\n`,
  );
  await writeFile(htpasswd, lines.join(''));
  const baleen = resources.use(
    await Baleen.start({ auth: { htpasswd }, hosted: { repositories: ['**'], max_uploads: 10 } }),
  );
  const begin = async (account: Account): Promise<number> => {
    const authorization = basicOf(account) ?? '';
    const path = '/v2/local/app/blobs/uploads/';
    return (await ask(baleen.port, { method: 'POST', path, headers: { authorization } })).status;
  };
  const statuses = await Promise.all(Array.from({ length: 20 }, () => begin('walter')));
  expect(new Set(statuses)).toEqual(new Set([202, 429]));
  expect(await begin('root')).toBe(202);
});

/** All of an answer that could tell something, but for the upstream's name, which the client has said itself. */
function tellTale({ status, headers, text: body }: Answer): unknown {
  const { date: _date, 'x-request-id': _id, ...rest } = headers;
  const text = JSON.stringify([rest, body]);
  return { status, text: text.replaceAll(/corp\.(?:example|nothere)/g, '…') };
}

describe('a name that is written in an odd way', () => {
  const paths = [
    '/v2/local%2Fclosed/manifests/v1',
    '/v2/local%2fclosed/manifests/v1',
    '/v2/local%252Fclosed/manifests/v1',
    '/v2/%6Cocal/closed/manifests/v1',
    '/v2/local/open/../closed/manifests/v1',
    '/v2/local/open/%2e%2e/closed/manifests/v1',
    '/v2/local/open%2F..%2Fclosed/manifests/v1',
    '/v2/local/open/..%5cclosed/manifests/v1',
    '/v2//local/closed/manifests/v1',
    '/v2/./local/closed/manifests/v1',
    '/v2/local//closed/manifests/v1',
    '/v2/local/closed/./manifests/v1',
    '/v2/LOCAL/closed/manifests/v1',
    '/V2/local/closed/manifests/v1',
    '/v2/_hosted/local/closed/manifests/v1',
    '/v2/local/closed/manifests/v1/',
    '/v2/local/closed%00/manifests/v1',
    '/v2/local/closed;/manifests/v1',
    '/v2/local/closed/manifests/v1?ns=',
    '/v2/team/app/manifests/v1?ns=docker.io&ns=corp.example',
    '/v2/team/app/manifests/v1?ns=corp.example&ns=docker.io',
    '/v2/team/app/manifests/v1?n%73=corp.example',
    '/v2/team/app/manifests/v1?ns=corp%2Eexample',
    '/v2/team/app/manifests/v1?x=1;ns=corp.example',
    '/v2/team/app/manifests/v1?ns=corp.example%23',
    '/v2/docker.io/corp.example/team/app/manifests/v1',
    '/v2/corp.example%2Fteam/app/manifests/v1',
    '/v2/CORP.example/team/app/manifests/v1',
    '/corp.example/v2/docker.io/team/app/manifests/v1',
    '/docker.io/v2/corp.example/team/app/manifests/v1',
    '/docker.io/v2/team/app/manifests/v1?ns=corp.example',
    '/corp.example/v2/team/app/manifests/v1?ns=docker.io',
    '/corp%2Eexample/v2/team/app/manifests/v1',
    '/corp.alias//v2/team/app/manifests/v1',
    `/v2/library/whale/manifests/${images.private.manifest.digest}`,
    `/v2/library/whale/blobs/${images.private.manifest.digest}`,
    `/v2/local/open/manifests/${images.closed.manifest.digest}`,
    `/v2/local/open/blobs/${images.closed.manifest.digest}`,
    `/v2/local/open/manifests/${images.private.manifest.digest}`,
    `/v2/library/whale/manifests/${images.closed.manifest.digest}`,
  ];
  const heads = [
    ['Host: 127.0.0.1'],
    ['Host: corp.mirror'],
    ['Host: corp.mirror.'],
    ['Host: hub.mirror'],
    ['Host: hub.mirror', 'X-Forwarded-Host: corp.mirror'],
    ['Host: 127.0.0.1', 'X-Original-URL: /v2/local/closed/manifests/v1'],
    ['Host: 127.0.0.1', 'X-HTTP-Method-Override: DELETE'],
  ];

  it.each(paths)('shows nobody what is private: %s', async (path) => {
    for (const account of ['anonymous', 'nora'] as const) {
      const authorization = basicOf(account);
      for (const head of heads) {
        const lines = [
          `GET ${path} HTTP/1.1`,
          ...head,
          'Connection: close',
          ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
        ];
        const { status, body } = await rawRequest(port, `${lines.join('\r\n')}\r\n\r\n`);
        const what = { path, account, head, status };
        expect({ ...what, tells: secrets.some((secret) => body.includes(secret)) }).toEqual({
          ...what,
          tells: false,
        });
        expect([200, 400, 401, 403, 404]).toContain(status);
      }
    }
  });

  it('is a name like any other where it is the whole of a URL, as proxies ask', async () => {
    const target = `http://127.0.0.1:${String(port)}/v2/local/closed/manifests/v1`;
    const { status, body } = await rawRequest(
      port,
      `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
    );
    expect(body).not.toContain(manifest('closed'));
    expect([400, 401, 404]).toContain(status);
  });
});

describe('a digest', () => {
  it.each<[string, Place]>([
    ['library/whale', 'private'],
    ['library/whale', 'closed'],
    ['local/open', 'closed'],
    ['local/open', 'private'],
  ])('is no key: in %s, what is %s is unknown to all', async (name, place) => {
    for (const account of ['nora', 'root'] as const) {
      for (const { digest } of [images[place].manifest, ...images[place].blobs]) {
        for (const method of ['GET', 'HEAD']) {
          const blob = await as(account, { method, path: `/v2/${name}/blobs/${digest}` });
          expect(blob.status).toBe(404);
        }
      }
      const { digest } = images[place].manifest;
      expect((await as(account, { path: `/v2/${name}/manifests/${digest}` })).status).toBe(404);
    }
  });
});

describe('a refusal', () => {
  const { manifest: held, blobs } = images.closed;

  it.each<[what: string, method: string, there: string, gone: string]>([
    ['a tag', 'GET', 'manifests/v1', 'manifests/none'],
    ['a manifest', 'HEAD', `manifests/${held.digest}`, `manifests/${held.digest}`],
    ['a blob', 'GET', `blobs/${blobs[0]!.digest}`, `blobs/${images.open.blobs[0]!.digest}`],
    ['tags', 'GET', 'tags/list', 'tags/list'],
    ['referrers', 'GET', `referrers/${held.digest}`, `referrers/${held.digest}`],
    ['the deletion of a tag', 'DELETE', 'manifests/v1', 'manifests/none'],
    ['the deletion of a blob', 'DELETE', `blobs/${blobs[0]!.digest}`, `blobs/${held.digest}`],
    ['an upload', 'POST', 'blobs/uploads/', 'blobs/uploads/'],
  ])('is the same whether there is anything or not: %s', async (_what, method, there, gone) => {
    for (const account of ['anonymous', 'nora', 'clara'] as const) {
      const one = await as(account, { method, path: `/v2/local/closed/${there}` });
      const other = await as(account, { method, path: `/v2/local/nothing/${gone}` });
      const anyName = ({ status, headers, text }: Answer) => ({
        status,
        text: text.replaceAll('local/nothing', 'local/closed'),
        challenge: headers['www-authenticate']?.replaceAll('local/nothing', 'local/closed'),
        names: Object.keys(headers).toSorted(),
      });
      expect(anyName(one)).toEqual(anyName(other));
      expect(one.status).toBe(account === 'anonymous' ? 401 : 403);
    }
  });

  it('of a source is no answer: the mount becomes an upload', async () => {
    const mount = (from: string, digest: string) =>
      as('walter', {
        method: 'POST',
        path: `/v2/local/open/blobs/uploads/?mount=${digest}&from=${from}`,
      });
    const { digest } = images.private.blobs[0]!;
    const answers = await Promise.all([
      mount('corp.example/team/app', digest),
      mount('corp.example/team/none', digest),
      mount('local/none', digest),
      mount('none.example/x', digest),
      mount('..', digest),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    for (const { headers } of answers) {
      expect(Object.keys(headers).toSorted()).toEqual(Object.keys(answers[0].headers).toSorted());
    }
    expect((await as('root', { path: `/v2/local/open/blobs/${digest}` })).status).toBe(404);
  });

  it('is logged with its account and counted by what was wanted', async () => {
    const counted = () => world.baleen.metric('baleen_access_refusals_total', '"DENIED"', '"push"');
    const before = await counted();
    await as('nora', { method: 'POST', path: '/v2/local/closed/blobs/uploads/' });
    await waitFor('the count', async () => (await counted()) === before + 1);
    const line = /"account":"nora","method":"POST".*"status":403,"error":"DENIED","refused":"push"/;
    await waitFor('the line', () => line.test(world.baleen.process.stdout));
  });
});

describe('an upload', () => {
  const begin = async (account: Account, name: string): Promise<string> => {
    const path = `/v2/${name}/blobs/uploads/`;
    const { headers } = await as(account, { method: 'POST', path });
    return /uploads\/([^?/]+)/.exec(headers.location ?? '')![1]!;
  };

  it('is not to be had in another repository, and elsewhere only by who may push there', async () => {
    const id = await begin('walter', 'local/closed');
    const status = async (account: Account, name: string): Promise<number> =>
      (await as(account, { path: `/v2/${name}/blobs/uploads/${id}` })).status;
    expect(await status('walter', 'local/closed')).toBe(204);
    expect(await status('walter', 'local/open')).toBe(404);
    expect(await status('rita', 'local/closed')).toBe(403);
    expect(await status('anonymous', 'local/closed')).toBe(401);
    // Who knows the id, and may push there, may go on with it.
    expect(await status('greta', 'local/closed')).toBe(204);
    const path = `/v2/local/closed/blobs/uploads/${id}`;
    expect((await as('dora', { method: 'DELETE', path })).status).toBe(403);
    expect((await as('greta', { method: 'DELETE', path })).status).toBe(204);
  });
});

describe('a manifest', () => {
  it('brings nothing into a repository by naming it', async () => {
    const root = { url: world.baleen.url, credentials: `root:${passwordOf('root')}` };
    const secret = seededImage([200], 910);
    await push(root, 'local/secret', 'v1', secret);
    const put = ({ bytes, mediaType }: Content) =>
      as('greta', {
        method: 'PUT',
        path: '/v2/local/closed/manifests/stolen',
        headers: { 'content-type': mediaType },
        body: bytes,
      });
    for (const image of [secret, images.private, images.public]) {
      for (const named of [image, indexOf({ amd64: image })]) {
        const { status, text } = await put(named.manifest);
        expect(status).toBe(404);
        expect(text).toContain('MANIFEST_BLOB_UNKNOWN');
      }
      // A subject need not be there, and does not come by being named.
      const note = artifactOf(image.manifest, 'text/note', 'mine');
      const own = { url: world.baleen.url, credentials: `greta:${passwordOf('greta')}` };
      await push(own, 'local/closed', 'note', note);
      for (const { digest } of [image.manifest, ...image.blobs]) {
        const blob = await as('greta', { path: `/v2/local/closed/blobs/${digest}` });
        const manifest = await as('greta', { path: `/v2/local/closed/manifests/${digest}` });
        expect([blob.status, manifest.status]).toEqual([404, 404]);
      }
    }
  });
});

describe('a proof', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const jwt = (head: object, claims: object, signature = ''): string =>
    [JSON.stringify(head), JSON.stringify(claims)]
      .map((part) => Buffer.from(part).toString('base64url'))
      .concat(signature)
      .join('.');
  const claims = {
    iss: 'baleen',
    sub: 'root',
    aud: 'baleen',
    iat: 1,
    nbf: 1,
    exp: 9_999_999_999,
    jti: 'x',
    access: [{ type: 'repository', name: 'local/closed', actions: ['pull'] }],
  };

  it.each([
    'Basic',
    'Basic !!!!',
    `Basic ${base64('rita')}`,
    `Basic ${base64('rita:')}`,
    `Basic ${base64(':')}`,
    `Basic ${base64('anonymous:')}`,
    `Basic ${base64('*:*')}`,
    `Basic ${base64('devs:devs')}`,
    `Basic ${base64(`Rita:${passwordOf('rita')}`)}`,
    `Basic ${base64(`rita:${passwordOf('rita')} `)}`,
    `Basic ${base64(`rita:${passwordOf('rita')}\0`)}`,
    'Bearer',
    'Bearer null',
    'Bearer a.b.c',
    `Bearer ${base64(`root:${passwordOf('root')}`)}`,
    `Bearer ${jwt({ alg: 'none', typ: 'JWT' }, claims)}`,
    `Bearer ${jwt({ alg: 'HS256', typ: 'JWT' }, claims, 'AAAA')}`,
    `Bearer ${jwt({ alg: 'ES256', typ: 'JWT', jku: 'http://127.0.0.1:1/' }, claims, 'AAAA')}`,
    'Digest username="root"',
    'Negotiate AAAA',
    `Bearer ${'a'.repeat(10_000)}`,
  ])('that proves nothing is refused, also where none is needed: %s', async (authorization) => {
    for (const name of ['local/closed', 'local/open']) {
      const path = `/v2/${name}/manifests/v1`;
      const answer = await ask(port, { method: 'GET', path, headers: { authorization } });
      expect(answer.status).toBe(401);
      expect(answer.text).toContain('"UNAUTHORIZED"');
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="/);
    }
  });

  it('of the wrong kind is of no use for getting a token', async () => {
    const token = await fetchToken(port, realm, 'root', ['repository:local/closed:pull']);
    const passwords = [`Bearer ${token}`, `Basic ${base64(`root:${token}`)}`];
    for (const authorization of passwords) {
      const path = `${realm.path}?service=${realm.service}&scope=repository:local/closed:push`;
      const answer = await ask(port, { method: 'GET', path, headers: { authorization } });
      expect(answer.status).toBe(401);
    }
  });

  it('that is wrong gets no more than a token for nobody, where that would do', async () => {
    // The name may also mean what is at docker.io, where everybody may pull.
    const path = `${realm.path}?service=${realm.service}&scope=repository:local/closed:pull`;
    const headers = { authorization: `Basic ${base64('root:wrong')}` };
    const { text } = await ask(port, { method: 'GET', path, headers });
    const { token } = JSON.parse(text) as { token: string };
    expect((await bearing(token, { path: '/v2/local/closed/manifests/v1' })).status).toBe(401);
    const elsewhere = '/v2/local/closed/manifests/v1?ns=docker.io';
    expect((await bearing(token, { path: elsewhere })).text).toBe(manifest('public'));
  });
});

describe('a token', () => {
  it('asked for more than is allowed is good for what is allowed', async () => {
    const scopes = ['repository:local/closed:pull,push,delete', 'repository:local/open:*'];
    const token = await fetchToken(port, realm, 'rita', scopes);
    const { access: granted } = JSON.parse(
      Buffer.from(token.split('.')[1]!, 'base64url').toString(),
    ) as { access: unknown };
    expect(granted).toEqual([
      { type: 'repository', name: 'local/closed', actions: ['pull'] },
      { type: 'repository', name: 'local/open', actions: ['pull'] },
    ]);
    const upload = { method: 'POST', path: '/v2/local/closed/blobs/uploads/' };
    expect((await bearing(token, upload)).status).toBe(403);
  });

  it('with a scope that was written into it by its bearer is worth nothing', async () => {
    const token = await fetchToken(port, realm, 'root', ['repository:local/open:pull']);
    const [head, payload, signature] = token.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    const widened = {
      ...claims,
      access: [{ type: 'repository', name: 'local/closed', actions: ['*'] }],
    };
    const forged = Buffer.from(JSON.stringify(widened)).toString('base64url');
    const answer = await bearing(`${head}.${forged}.${signature}`, {
      path: '/v2/local/closed/tags/list',
    });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toContain('error="invalid_token"');
  });

  it('of another Baleen is worth nothing', async () => {
    const other = await PermissionWorld.start();
    try {
      const otherRealm = await realmOf(other.baleen.port);
      const scopes = ['repository:local/closed:pull'];
      const token = await fetchToken(other.baleen.port, otherRealm, 'root', scopes);
      expect((await bearing(token, { path: '/v2/local/closed/tags/list' })).status).toBe(401);
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  it('for a public image does not open the private one of the same name', async () => {
    const token = await fetchToken(port, realm, 'nora', ['repository:team/app:pull']);
    const path = '/v2/team/app/manifests/v1';
    for (const asked of [
      { path: `${path}?ns=corp.example` },
      { path, headers: { host: 'corp.mirror' } },
      { path: '/corp.example/v2/team/app/manifests/v1' },
    ]) {
      const { status, text } = await bearing(token, asked);
      expect({ status, tells: text.includes(manifest('private')) }).toEqual({
        status: 403,
        tells: false,
      });
    }
  });

  it('finds no blob to mount but in the repositories that it is for', async () => {
    const { digest } = images.closed.blobs[0]!;
    const path = `/v2/local/open/blobs/uploads/?mount=${digest}`;
    const own = 'repository:local/open:pull,push';
    const mount = async (...scopes: string[]): Promise<number> =>
      (await bearing(await fetchToken(port, realm, 'walter', scopes), { method: 'POST', path }))
        .status;
    expect(await mount(own)).toBe(202);
    expect(await mount(own, 'repository:local/closed:push')).toBe(202);
    expect((await as('root', { path: `/v2/local/open/blobs/${digest}` })).status).toBe(404);
    // Nor one that its bearer may not pull; only the one that both allow.
    const target = '/v2/local/closed/blobs/uploads/';
    const hidden = images.private.blobs[0]!.digest;
    const greta = await as('greta', { method: 'POST', path: `${target}?mount=${hidden}` });
    expect(greta.status).toBe(202);
    expect(await mount(own, 'repository:local/closed:pull')).toBe(201);
    const remove = { method: 'DELETE', path: `/v2/local/open/blobs/${digest}` };
    expect((await as('root', remove)).status).toBe(202);
  });

  it('is held to the rules of the moment, whatever they were when it was given out', async () => {
    const token = await fetchToken(port, realm, 'greta', ['repository:local/closed:pull']);
    const asked = { path: '/v2/local/closed/manifests/v1' };
    expect((await bearing(token, asked)).status).toBe(200);
    await world.baleen.reload({ access: access.filter(({ groups }) => groups === undefined) });
    expect((await bearing(token, asked)).status).toBe(403);
    expect((await as('greta', asked)).status).toBe(403);
    await world.baleen.reload({ access });
    expect((await bearing(token, asked)).status).toBe(200);
  });
});

describe('rules that cannot be used', () => {
  it('leave those in force that are', async () => {
    const asked = { path: '/v2/local/closed/manifests/v1' };
    const wrong = [{ groups: ['dves'], repositories: ['**'], actions: ['pull'] }];
    expect(await world.baleen.reload({ access: wrong })).toBe(false);
    expect((await as('nora', asked)).status).toBe(403);
    expect((await as('rita', asked)).status).toBe(200);
    // All commented out is not what it is to have none.
    expect(await world.baleen.reload({ access: null })).toBe(false);
    expect((await as('nora', asked)).status).toBe(403);
    expect(await world.baleen.reload({ access: [] })).toBe(true);
    expect((await as('root', asked)).status).toBe(403);
    expect(await world.baleen.reload({ access })).toBe(true);
    expect((await as('rita', asked)).status).toBe(200);
  });
});
