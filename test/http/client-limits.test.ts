import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { ClientLimits, type PerClientLimits } from '../../src/http/client-limits.ts';
import { HttpServer } from '../../src/http/server.ts';
import { get } from '../support/http-get.ts';
import { openSocket, readAnswer } from '../support/raw-request.ts';
import { testResources } from '../support/resources.ts';
import { waitFor } from '../support/wait-for.ts';

const resources = testResources();
const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

/** A server that holds its clients to limits, by a clock that stands still until it is set. */
async function limited(limits: PerClientLimits, listener?: RequestListener) {
  const clock = { now: 0 };
  const refused: string[] = [];
  let served = 0;
  const server = await HttpServer.listen(
    listener ??
      ((_request, response) => {
        served++;
        response.end('ok');
      }),
    {
      host: '127.0.0.1',
      port: 0,
      headersTimeout: 5_000,
      keepAliveTimeout: 5_000,
      stallTimeout: 10_000,
      maxHeaderSize: 8_192,
    },
    () => undefined,
  );
  resources.defer(() => server.drain(0));
  const observer = {
    refused: (limit: string, client: string) => refused.push(`${limit} ${client}`),
  };
  const clients = new ClientLimits(limits, observer, () => clock.now);
  server.limitClients(clients);
  const url = `http://127.0.0.1:${server.port}/`;
  return { server, clients, clock, refused, url, served: () => served };
}

async function connected(port: number): Promise<Socket> {
  const socket = openSocket(port);
  resources.defer(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

describe('a client', () => {
  it('beyond its rate is answered 429 in OCI form, and told when to come back', async () => {
    const { clock, refused, url, served } = await limited({
      rate: { perMillisecond: 0.001 / 3, burst: 2 },
    });
    expect((await get(url)).status).toBe(200);
    expect((await get(url)).status).toBe(200);
    const answer = await get(url);
    expect(answer).toMatchObject({
      status: 429,
      headers: { 'retry-after': '3', 'content-type': 'application/json' },
    });
    expect(JSON.parse(answer.text)).toMatchObject({ errors: [{ code: 'TOOMANYREQUESTS' }] });
    expect(refused).toEqual(['client_rate 127.0.0.1']);
    expect(served()).toBe(2);
    clock.now = 3_000;
    expect((await get(url)).status).toBe(200);
  });

  it('is remembered without a connection for as long as its rate needs it, and no longer', async () => {
    const { clients, clock, url } = await limited({ rate: { perMillisecond: 0.001, burst: 2 } });
    await get(url);
    await waitFor('the connection to be gone', () => clients.size === 1);
    await get(url);
    expect((await get(url)).status).toBe(429);
    clock.now = 1_000_000;
    await get(url);
    clock.now = 2_000_000;
    const socket = await connected(Number(new URL(url).port));
    socket.destroy();
    await waitFor('nothing to be kept', () => clients.size === 0);
  });

  it('may have so many requests at once, over all of its connections', async () => {
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
    let asked = 0;
    const { refused, url } = await limited({ requests: 2 }, (_request, response) => {
      asked++;
      void until.then(() => response.end('ok'));
    });
    const running = [get(url), get(url)];
    await waitFor('both requests', () => asked === 2);
    expect(await get(url)).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    goOn();
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200]);
    await waitFor('room for another', async () => (await get(url)).status === 200);
    expect(refused).toContain('client_requests 127.0.0.1');
  });

  it('gets room again for requests whose connection it broke', async () => {
    let asked = 0;
    const { server, url } = await limited({ requests: 1 }, (incoming, response) => {
      asked++;
      if (incoming.url === '/') response.end('ok');
    });
    const socket = await connected(server.port);
    socket.write('GET /never HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitFor('the request', () => asked === 1);
    expect((await get(url)).status).toBe(429);
    socket.destroy();
    await waitFor('room for another', async () => (await get(url)).status === 200);
  });

  it('may have so many connections at once; one beyond is closed', async () => {
    const { server, refused } = await limited({ connections: 2 });
    const [first, second] = [await connected(server.port), await connected(server.port)];
    second.write(request);
    await once(second, 'data');
    const third = await connected(server.port);
    third.write(request);
    expect((await readAnswer(third)).status).toBe(0);
    expect(refused).toEqual(['client_connections 127.0.0.1']);
    first.destroy();
    await waitFor('room for another', async () => {
      const socket = await connected(server.port);
      socket.write(request);
      const [answer] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [
        unknown,
      ];
      return Buffer.isBuffer(answer);
    });
  });

  it('may do as it likes again once the limits are gone', async () => {
    const { server, url } = await limited({ rate: { perMillisecond: 1e-9, burst: 1 } });
    await get(url);
    expect((await get(url)).status).toBe(429);
    server.limitClients(undefined);
    expect((await get(url)).status).toBe(200);
  });
});

describe('a server that is full', () => {
  it('closes new connections, and tells of them', async () => {
    const { server } = await limited({});
    const dropped: unknown[] = [];
    server.limitConnections(1, (address) => dropped.push(address));
    const kept = await connected(server.port);
    kept.write('GET / HTTP/1.1\r\n');
    const other = await connected(server.port);
    expect((await readAnswer(other)).status).toBe(0);
    expect(dropped).toEqual(['127.0.0.1']);
    kept.write('Host: x\r\n\r\n');
    const [answer] = (await once(kept, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('lets idle connections go for new ones', async () => {
    const { server, url } = await limited({});
    server.limitConnections(1, () => undefined);
    const idle = await connected(server.port);
    idle.write(request);
    await once(idle, 'data');
    await waitFor('the idle one to give way', async () => (await get(url)).status === 200);
  });
});
