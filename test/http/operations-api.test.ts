import { createServer, request, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { foreignFault } from '../../src/http/operations-origin.ts';
import { createOperationsApp } from '../../src/http/operations.ts';
import { RegistryError, type ErrorCode } from '../../src/oci/errors.ts';
import { waitFor } from '../support/wait-for.ts';

describe('the origin of a request to the operations API', () => {
  const known = new Set(['cache.example']);
  it.each([
    ['127.0.0.1:5001', undefined],
    ['[::1]:5001', undefined],
    ['localhost', undefined],
    ['Cache.Example:5001', undefined],
    ['127.0.0.1:5001', 'http://127.0.0.1:5001'],
    ['Cache.Example:5001', 'http://cache.example:5001'],
  ])('is good from Host %s and Origin %s', (host, origin) => {
    expect(foreignFault(host, origin, known)).toBeUndefined();
  });

  it.each([
    [undefined, undefined],
    ['', undefined],
    ['evil.example:5001', undefined],
    ['evil.example:5001', 'http://evil.example:5001'],
    ['127.0.0.1.evil.example', undefined],
    ['127.0.0.1:5001', 'http://evil.example'],
    ['127.0.0.1:5001', 'http://127.0.0.1:8080'],
    ['127.0.0.1:5001', 'null'],
  ])('is foreign from Host %s and Origin %s', (host, origin) => {
    expect(foreignFault(host, origin, known)).toEqual(expect.any(String));
  });
});

describe('the operations API', () => {
  const ended: [string, ErrorCode | undefined][] = [];
  let left = 0;
  let stopping: AbortController;
  let server: Server;
  let url: string;

  beforeEach(async () => {
    ended.length = 0;
    left = 0;
    stopping = new AbortController();
    const app = createOperationsApp({
      metrics: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
      readiness: () => ({}),
      api: {
        hosts: new Set(),
        stopping: stopping.signal,
        observer: { operationEnded: (name, _seconds, error) => ended.push([name, error?.code]) },
        tells: { about: () => Promise.resolve({ version: '1' }) },
        does: {
          echo: (parameters) => Promise.resolve(parameters),
          refuse: () => Promise.reject(new RegistryError('UNAVAILABLE', 'busy', { retryAfter: 7 })),
          count: async function* ({ until }) {
            for (let number = 1; number <= Number(until); number++) yield await soon({ number });
            throw new RegistryError('UNKNOWN', 'no more numbers');
          },
          flood: async function* () {
            try {
              for (;;) yield await soon({ text: 'x'.repeat(100_000) });
            } finally {
              left++;
            }
          },
          forever: async function* (_parameters, signal) {
            try {
              for (;;) {
                signal.throwIfAborted();
                yield await soon({});
              }
            } finally {
              left++;
            }
          },
        },
      },
    });
    server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/api`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  const soon = <T>(value: T): Promise<T> =>
    new Promise((resolve) => void setImmediate(resolve, value));

  const post = (name: string, body: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/${name}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });

  it('tells and does, in JSON', async () => {
    expect(await (await fetch(`${url}/about`)).json()).toEqual({ version: '1' });
    const done = await post('echo', '{"a":1}');
    expect([done.status, await done.json()]).toEqual([200, { a: 1 }]);
    expect(ended).toEqual([['echo', undefined]]);
  });

  it('streams progress as lines, with what went wrong as the last of them', async () => {
    const answer = await post('count', '{"until":2}');
    expect(answer.headers.get('content-type')).toMatch('application/x-ndjson');
    expect(
      (await answer.text())
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { number: 1 },
      { number: 2 },
      { errors: [{ code: 'UNKNOWN', message: 'no more numbers' }] },
    ]);
    expect((await post('count', '{}')).status).toBe(500);
    expect(ended).toEqual([
      ['count', 'UNKNOWN'],
      ['count', 'UNKNOWN'],
    ]);
  });

  it('stops what nobody waits for any more', async () => {
    const leaving = new AbortController();
    const answer = await fetch(`${url}/forever`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
      signal: leaving.signal,
    });
    expect(answer.status).toBe(200);
    leaving.abort();
    await waitFor('the operation to stop', () => left === 1);
    await waitFor('that to be told', () => ended.length === 1);
    expect(ended).toEqual([['forever', 'UNAVAILABLE']]);
  });

  it('does not wait for a client that takes nothing when the service stops', async () => {
    const headers = { 'content-type': 'application/json' };
    const asking = request(`${url}/flood`, { method: 'POST', headers });
    asking.on('error', () => undefined);
    asking.end('{}');
    // Nothing of what comes is ever read.
    await once(asking, 'response');
    stopping.abort();
    await waitFor('the operation to stop', () => left === 1);
    asking.destroy();
  });

  it.each([
    ['a form', () => post('echo', 'a=1', { 'content-type': 'text/plain' }), 400, 'REQUEST_INVALID'],
    ['what is no JSON', () => post('echo', '{'), 400, 'REQUEST_INVALID'],
    ['what is no object', () => post('echo', '[]'), 400, 'REQUEST_INVALID'],
    ['too much', () => post('echo', `{"a":"${'x'.repeat(4_200_000)}"}`), 413, 'REQUEST_INVALID'],
    ['another origin', () => post('echo', '{}', { origin: 'http://a.example' }), 403, 'DENIED'],
    ['an unknown name', () => post('nothing', '{}'), 404, 'NAME_UNKNOWN'],
    ['an inherited name', () => fetch(`${url}/constructor`), 404, 'NAME_UNKNOWN'],
    ['a GET of what changes something', () => fetch(`${url}/echo`), 405, 'UNSUPPORTED'],
    ['a refusal', () => post('refuse', '{}'), 503, 'UNAVAILABLE'],
  ])('answers %s with an error in the form of the registry', async (_name, ask, status, code) => {
    const answer = await ask();
    expect(answer.status).toBe(status);
    const { errors } = (await answer.json()) as { errors: { code: string }[] };
    expect(errors.map((error) => error.code)).toEqual([code]);
    if (status === 405) expect(answer.headers.get('allow')).toBe('POST');
    if (status === 503) expect(answer.headers.get('retry-after')).toBe('7');
  });

  it('refuses a host name that points here and is not ours', async () => {
    const asked = request(`${url}/about`, { headers: { host: 'evil.example' } }).end();
    const [answer] = (await once(asked, 'response')) as [{ statusCode: number; resume(): void }];
    answer.resume();
    expect(answer.statusCode).toBe(403);
  });
});
