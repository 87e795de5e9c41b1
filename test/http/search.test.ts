import { describe, expect, it } from '@jest/globals';
import { AccessRules, type AccessRule } from '../../src/access/rules.ts';
import { AccessGuard } from '../../src/http/access-guard.ts';
import { createApp } from '../../src/http/app.ts';
import { HttpServer } from '../../src/http/server.ts';
import { RouteTable } from '../../src/registry/resolve-route.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { get } from '../support/http-get.ts';
import { testResources } from '../support/resources.ts';
import { nothingThere } from '../support/registry-app.ts';
import { policy } from '../support/scaffold.ts';

const resources = testResources();
const table = new RouteTable(
  ['docker.io', 'ghcr.io'].map((name) => ({
    remote: {
      name,
      upstream: new FakeUpstream(name),
      policy,
      permits: (repository: string) => !repository.startsWith('denied/'),
    },
    aliases: [],
    hosts: [],
  })),
  'docker.io',
  (name) => name.startsWith('local/'),
);
const names = ['denied/whale', 'ghcr.io/org/whale', 'library/whale', 'local/whale', 'local/whale2'];

interface Answer {
  readonly status: number;
  readonly json: {
    readonly query: string;
    readonly num_results: number;
    readonly num_pages: number;
    readonly page: number;
    readonly results: readonly { readonly name: string; readonly description: string }[];
    readonly errors?: readonly { readonly code: string }[];
  };
}

async function start(options: { rules?: readonly AccessRule[]; names?: readonly string[] } = {}) {
  const { rules } = options;
  const app = createApp({
    table,
    content: nothingThere,
    guard: rules && new AccessGuard(table, new AccessRules(rules)),
    listRepositories: () => Promise.resolve([...(options.names ?? names)]),
    observer: { requestEnded: () => undefined, requestFailed: () => undefined },
  });
  const limits = { headersTimeout: 1_000, keepAliveTimeout: 5_000, stallTimeout: 10_000 };
  const server = await HttpServer.listen(
    app,
    { host: '127.0.0.1', port: 0, ...limits, maxHeaderSize: 8_192 },
    () => undefined,
  );
  resources.defer(() => server.drain(0));
  return async (path: string, headers: Record<string, string> = {}): Promise<Answer> => {
    const { status, text } = await get(`http://127.0.0.1:${String(server.port)}${path}`, headers);
    return { status, json: JSON.parse(text) as Answer['json'] };
  };
}
const found = ({ json }: Answer): string[] => json.results.map(({ name }) => name);

describe('GET /v1/search', () => {
  it('says what is hosted and what is cached, as it has to be written to pull it', async () => {
    const ask = await start();
    const { status, json } = await ask('/v1/search?q=whale&n=25');
    expect(status).toBe(200);
    const more = { star_count: 0, is_automated: false };
    expect(json.results).toEqual([
      {
        name: 'ghcr.io/org/whale',
        description: 'cached from ghcr.io',
        is_official: false,
        ...more,
      },
      { name: 'library/whale', description: 'cached from docker.io', is_official: true, ...more },
      { name: 'local/whale', description: 'hosted here', is_official: false, ...more },
      { name: 'local/whale2', description: 'hosted here', is_official: false, ...more },
    ]);
    expect(json).toMatchObject({ query: 'whale', num_pages: 1, page: 1, page_size: 25 });
  });

  it('gives page by page, and never more than a hundred at once', async () => {
    const many = Array.from({ length: 250 }, (_, index) => `local/whale${String(index + 100)}`);
    const ask = await start({ names: many });
    for (const [query, first, count] of [
      ['', 'local/whale100', 25],
      ['&n=5', 'local/whale100', 5],
      ['&n=5&page=2', 'local/whale105', 5],
      ['&n=0', 'local/whale100', 1],
      ['&n=100000', 'local/whale100', 100],
      ['&n=100&page=3', 'local/whale300', 50],
    ] as const) {
      const answer = await ask(`/v1/search?q=whale${query}`);
      expect([query, found(answer)[0], found(answer).length]).toEqual([query, first, count]);
      expect(answer.json.num_results).toBe(250);
    }
    expect(found(await ask('/v1/search?q=whale&n=100&page=4'))).toEqual([]);
    for (const query of ['n=x', 'n=-1', 'page=1e3']) {
      expect((await ask(`/v1/search?${query}`)).json.errors?.[0]?.code).toBe(
        'PAGINATION_NUMBER_INVALID',
      );
    }
  });

  const openToAll = [
    { accounts: ['anonymous'], groups: [], repositories: ['docker.io/**'], actions: ['pull'] },
    { accounts: ['alice'], groups: [], repositories: ['**'], actions: ['admin'] },
  ] as const satisfies AccessRule[];

  it('shows nobody what they may not pull', async () => {
    const ask = await start({ rules: openToAll });
    const answer = await ask('/v1/search?q=whale', { 'X-Docker-Token': 'true' });
    expect([answer.status, found(answer), answer.json.num_results]).toEqual([
      200,
      ['library/whale'],
      1,
    ]);
  });

  it('sends podman, which offers no password here, to where it does', async () => {
    const ask = await start({ rules: openToAll });
    expect((await ask('/v1/search?q=whale')).json.errors?.[0]?.code).toBe('UNAUTHORIZED');
  });

  it('tells strangers nothing where they may pull nothing', async () => {
    const ask = await start({ rules: openToAll.slice(1) });
    const answer = await ask('/v1/search?q=whale', { 'X-Docker-Token': 'true' });
    expect(answer.json.errors?.[0]?.code).toBe('UNAUTHORIZED');
  });
});
