import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createApp, type AppOptions } from '../../src/http/app.ts';
import { ask, type Answer, type Question } from '../support/permissions/ask.ts';
import { describeDoor, doors, nameInScope, type Door } from '../support/permissions/doors.ts';
import { expectedStatus, mayDo, type Proof, type Wanted } from '../support/permissions/oracle.ts';
import { fetchToken, realmOf, type Realm } from '../support/permissions/tokens.ts';
import { ways, type Way } from '../support/permissions/ways.ts';
import {
  accounts,
  basicOf,
  images,
  PermissionWorld,
  type Account,
  type Place,
} from '../support/permissions/world.ts';
import { suiteResources } from '../support/resources.ts';

jest.setTimeout(120_000);

const resources = suiteResources();
let port: number;
let realm: Realm;

beforeAll(async () => {
  const world = resources.use(await PermissionWorld.start());
  port = world.baleen.port;
  realm = await realmOf(port);
  // What is proxied has a name, and can be mounted, as soon as somebody has pulled it.
  for (const door of doors) {
    for (const way of ways.filter(({ wanted }) => wanted === 'pull')) {
      const asked = await way.question(door.place, undefined);
      await ask(port, authorized(questionAt(door, asked), basicOf('root')));
    }
  }
});

/** What any of these does is stated by a test of its own; none leads into a repository. */
const aboutNoRepository = new Set([
  'get /',
  'get /v2',
  'get /v2/_catalog',
  'get /v1/_ping',
  'get /v1/search',
  'get /auth/token',
  'post /auth/token',
]);

/** Stands for whatever the product is built from: no request is made of it. */
const anything: unknown = new Proxy(() => anything, { get: () => anything });

/** The routes, read from the product itself: `get /v2/*name/tags/list`. */
function routesAboutRepositories(): string[] {
  const app = createApp(anything as AppOptions) as unknown as { router: { stack: Layer[] } };
  return routesOf(app.router.stack)
    .filter((route) => !aboutNoRepository.has(route))
    .toSorted();
}

const taken = new Set(['get', 'head', 'post', 'put', 'patch', 'delete', 'options', 'trace']);

interface Layer {
  readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
  readonly handle: { readonly stack?: readonly Layer[] };
}

function routesOf(layers: readonly Layer[]): string[] {
  return layers.flatMap(({ route, handle }) => {
    if (route === undefined) return routesOf(handle.stack ?? []);
    const methods = Object.keys(route.methods).filter((method) => taken.has(method));
    // What is for every method says which ones there are.
    return methods.length === taken.size ? [] : methods.map((method) => `${method} ${route.path}`);
  });
}

/** One door for each place. */
const fewDoors = doors.filter(
  ({ place }, index) => doors.findIndex((door) => door.place === place) === index,
);

/** How somebody proves who they are, and what that is good for. */
interface Form {
  readonly title: string;
  readonly doors: readonly Door[];
  /** The scopes that a token is asked for; undefined for no token, but the password. */
  readonly scopes?: (door: Door) => readonly string[];
  /** What of them is about the door. */
  readonly covers?: readonly Wanted[];
}

const forms: readonly Form[] = [
  { title: 'a password', doors },
  {
    title: 'a token for everything',
    doors,
    scopes: (door) => [`repository:${nameInScope(door)}:pull,push,delete`],
    covers: ['pull', 'push', 'delete'],
  },
  {
    title: 'a token for *',
    doors: fewDoors,
    scopes: (door) => [`repository:${nameInScope(door)}:*`],
    covers: ['pull', 'push', 'delete'],
  },
  {
    title: 'a token to pull',
    doors: fewDoors,
    scopes: (door) => [`repository:${nameInScope(door)}:pull`],
    covers: ['pull'],
  },
  {
    title: 'a token to push, and another repository',
    doors: fewDoors,
    scopes: (door) => [`repository:${nameInScope(door)}:push`, 'repository:local/other:pull'],
    covers: ['push'],
  },
  {
    title: 'a token for other repositories',
    doors: fewDoors,
    scopes: (door) => [
      `repository:${nameInScope(door)}2:*`,
      'repository:local:*',
      'repository:team:*',
    ],
    covers: [],
  },
  { title: 'a token for nothing', doors: fewDoors, scopes: () => [], covers: [] },
];

function questionAt({ prefix = '', name, ns, host }: Door, asked: Question): Question {
  const path = `${prefix}/v2/${name}/${asked.path}`;
  const query = ns === undefined ? '' : `${path.includes('?') ? '&' : '?'}ns=${ns}`;
  const headers = { ...asked.headers, ...(host !== undefined && { host }) };
  return { ...asked, path: path + query, headers };
}

function authorized(asked: Question, authorization: string | undefined): Question {
  if (authorization === undefined) return asked;
  return { ...asked, headers: { ...asked.headers, authorization } };
}

/** Does it with an administrator's password, where something has to be put in place first. */
function rootAt(door: Door): ((asked: Question) => Promise<Answer>) | undefined {
  const isHosted = door.place === 'open' || door.place === 'closed';
  if (!isHosted) return undefined;
  return async (asked) => {
    const answer = await ask(port, authorized(questionAt(door, asked), basicOf('root')));
    if (answer.status >= 300) throw new Error(`${asked.method} ${asked.path}: ${answer.text}`);
    return answer;
  };
}

async function authorizationOf(form: Form, door: Door, account: Account) {
  if (form.scopes === undefined) return basicOf(account);
  return `Bearer ${await fetchToken(port, realm, account, form.scopes(door))}`;
}

/** What a refusal must not tell. */
const telling = ['docker-content-digest', 'etag', 'oci-namespace', 'link', 'location'];

/** What is wrong with an answer; undefined where it is as it has to be. */
function faultOf(answer: Answer, door: Door, way: Way, expected: number): string | undefined {
  const { status, headers, text } = answer;
  const what = `${describeDoor(door)}: ${way.title}`;
  if (status !== expected) return `${what}: ${String(status)}, not ${String(expected)} ${text}`;
  const challenge = headers['www-authenticate'];
  if ((challenge !== undefined) !== (status === 401)) return `${what}: challenge ${challenge}`;
  if (status !== 401 && status !== 403) return undefined;
  const told = telling.filter((name) => headers[name] !== undefined);
  if (told.length > 0) return `${what}: tells ${told.join()}`;
  if (status === 401 && !challenge?.includes(`scope="repository:${nameInScope(door)}:`)) {
    return `${what}: challenge ${challenge}`;
  }
  const code = status === 401 ? 'UNAUTHORIZED' : 'DENIED';
  const isHead = answer.text === '';
  return isHead || text.includes(`"code":"${code}"`) ? undefined : `${what}: ${text}`;
}

it('leaves out no route of the product', () => {
  const covered = new Set(ways.map(({ route }) => route));
  expect([...covered].toSorted()).toEqual(routesAboutRepositories());
});

describe.each(accounts)('%s', (account) => {
  it.each(forms)('may with $title do what the rules allow, at every door', async (form) => {
    const faults: (string | undefined)[] = [];
    for (const door of form.doors) {
      const authorization = await authorizationOf(form, door, account);
      const proof: Proof = { account, scope: form.covers };
      const cells = ways.map(async (way) => {
        const asked = await way.question(door.place, rootAt(door));
        const answer = await ask(port, authorized(questionAt(door, asked), authorization));
        const isRead = form.covers?.includes('pull') ?? true;
        const success = isRead ? way.success : (way.successUnread ?? way.success);
        const expected = expectedStatus(proof, door.place, way.wanted, success);
        return faultOf(answer, door, way, expected);
      });
      faults.push(...(await Promise.all(cells)));
    }
    expect(faults).toHaveLength(form.doors.length * ways.length);
    expect(faults.filter((fault) => fault !== undefined)).toEqual([]);
  });

  it('mounts what it may pull into what it may push to, and hears nothing of the rest', async () => {
    const authorization = basicOf(account);
    const faults: string[] = [];
    for (const source of fewDoors) {
      for (const target of fewDoors) {
        const layer = images[source.place].blobs.at(-1)!;
        const path = `blobs/uploads/?mount=${layer.digest}&from=${source.name}`;
        const question = questionAt(target, { method: 'POST', path, body: Buffer.of() });
        const { status, text } = await ask(port, authorized(question, authorization));
        const mounted = mayDo(account, source.place, 'pull') ? 201 : 202;
        const expected = expectedStatus(
          { account, scope: undefined },
          target.place,
          'push',
          mounted,
        );
        if (status !== expected) {
          faults.push(
            `${source.name} → ${target.name}: ${String(status)}, not ${String(expected)} ${text}`,
          );
        }
        if (status === 201) {
          // For whoever comes next.
          const remove = { method: 'DELETE', path: `blobs/${layer.digest}` };
          if (source.place !== target.place) await rootAt(target)?.(remove);
        }
      }
    }
    expect(faults).toEqual([]);
  });

  it('is told the names of what it may pull, and of nothing else', async () => {
    const named: readonly (readonly [string, Place])[] = [
      ['corp.example/local/closed', 'private'],
      ['corp.example/team/app', 'private'],
      // Under its bare name, it is the hosted one that clients get.
      ['docker.io/local/closed', 'public'],
      ['library/whale', 'public'],
      ['local/closed', 'closed'],
      ['local/open', 'open'],
    ];
    const expected = named
      .filter(([, place]) => mayDo(account, place, 'pull'))
      .map(([name]) => name);
    const list = async (path: string): Promise<unknown> => {
      const { text } = await ask(port, authorized({ method: 'GET', path }, basicOf(account)));
      return (JSON.parse(text) as { repositories: unknown }).repositories;
    };
    expect(await list('/v2/_catalog')).toEqual(expected);
    expect(await list('/v2/_catalog?n=2')).toEqual(expected.slice(0, 2));
    expect(await list(`/v2/_catalog?n=9&last=${expected[0]}`)).toEqual(expected.slice(1));
    const ofCorp = mayDo(account, 'private', 'pull') ? ['local/closed', 'team/app'] : [];
    expect(await list('/v2/_catalog?ns=corp.example')).toEqual(ofCorp);

    // As dockerd asks for somebody who has not logged in.
    const search = {
      method: 'GET',
      path: '/v1/search?q=&n=100',
      headers: { 'x-docker-token': 'true' },
    };
    const { text } = await ask(port, authorized(search, basicOf(account)));
    const { results } = JSON.parse(text) as { results: { name: string }[] };
    expect(results.map(({ name }) => name).toSorted()).toEqual(expected);
  });

  it('lists names with a token only where the token is for that', async () => {
    const statusWith = async (path: string, ...scopes: string[]): Promise<number> => {
      const token = await fetchToken(port, realm, account, scopes);
      return (await ask(port, authorized({ method: 'GET', path }, `Bearer ${token}`))).status;
    };
    for (const path of ['/v2/_catalog', '/v1/search?q=a']) {
      expect(await statusWith(path, 'repository:local/open:pull')).toBe(401);
      expect(await statusWith(path, 'registry:catalog:*')).toBe(200);
    }
  });
});
