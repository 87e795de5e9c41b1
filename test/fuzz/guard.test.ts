import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, jest } from '@jest/globals';
import { AccessRules } from '../../src/access/rules.ts';
import { AccessGuard } from '../../src/http/access-guard.ts';
import { createApp, type AppOptions } from '../../src/http/app.ts';
import { RouteTable } from '../../src/registry/resolve-route.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { seededImage } from '../support/images.ts';
import { Random } from '../support/random.ts';
import { openSocket, readAnswer, type RawAnswer } from '../support/raw-request.ts';
import { policy } from '../support/scaffold.ts';
import { onTheWire, RandomRequests } from './random-request.ts';

jest.setTimeout(60_000);

const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const inputs = Number(process.env['FUZZ_INPUTS'] ?? 4_000);
const lanes = 16;

const upstream = (name: string) => ({
  remote: { name, upstream: new FakeUpstream(name), policy, permits: () => true },
  aliases: name === 'docker.io' ? ['registry-1.docker.io'] : [],
  hosts: [],
});
const table = new RouteTable(
  [upstream('docker.io'), upstream('ghcr.io')],
  'docker.io',
  (name) => name.startsWith('whale') || name.startsWith('v2'),
);

/** Use cases of every kind; whoever comes as far as one of them has got past the guard. */
function useCases(onReached: (path: string) => void, path = ''): unknown {
  return new Proxy(() => undefined, {
    get: (_target, key) => useCases(onReached, `${path}.${String(key)}`),
    apply() {
      onReached(path);
      throw new Error(`${path} was reached`);
    },
  });
}

it(`nothing gets past a guard that lets nobody in (FUZZ_SEED=${String(seed)})`, async () => {
  const reached: string[] = [];
  const cases = useCases((path) => void reached.push(path));
  const options: AppOptions = {
    table,
    guard: new AccessGuard(table, new AccessRules([])),
    content: cases as AppOptions['content'],
    changes: cases as NonNullable<AppOptions['changes']>,
    listRepositories: cases as AppOptions['listRepositories'],
    observer: { requestEnded: () => undefined, requestFailed: () => undefined },
  };
  const server = createServer(createApp(options)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const send = async (bytes: Buffer): Promise<RawAnswer> => {
    const socket = openSocket(port);
    await once(socket, 'connect');
    const answer = readAnswer(socket);
    socket.write(bytes);
    return answer;
  };

  const image = seededImage([100], 5);
  const digests = [image.manifest.digest, ...image.blobs.map(({ digest }) => digest)];
  const statuses = new Map<number, number>();
  const wrong: string[] = [];
  let nth = 0;
  const lane = async (): Promise<void> => {
    while (nth < inputs) {
      nth += 1;
      const request = new RandomRequests(new Random(seed * 1_000_000 + nth), digests).next();
      const { status, head } = await send(onTheWire(request));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      const isOpen = /^\/+(\?|$)|\/v2\/*(\?|$)|^\/v1\/_ping/.test(request.target);
      const isRefused = status >= 400 && status < 500;
      if (!isRefused && !(status === 200 && isOpen)) {
        wrong.push(`${request.method} ${request.target.slice(0, 300)}\n→ ${head}`);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  server.close();

  expect(reached).toEqual([]);
  expect(wrong.slice(0, 3)).toEqual([]);
  // Many have to get as far as the guard, or something else was tried.
  expect(statuses.get(401)).toBeGreaterThan(inputs / 10);
});
