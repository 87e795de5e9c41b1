import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import type { RegistryClientOptions } from '../../src/upstream/registry-client-options.ts';
import { RegistryClient } from '../../src/upstream/registry-client.ts';
import { latest, repository, shelf } from '../contract/upstream.ts';
import { testResources } from '../support/resources.ts';
import { testCertificate, testKey } from './tls-fixture.ts';

const { signal } = new AbortController();

describe('the connections upstream', () => {
  const resources = testResources();
  const listen = async (server: Server): Promise<string> => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => sockets.add(socket));
    resources.defer(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const open = (url: string, options: Partial<RegistryClientOptions> = {}): RegistryClient => {
    const client = new RegistryClient({ name: 'reef', urls: [url], env: {}, ...options });
    resources.defer(() => client.close());
    return client;
  };
  const secure = (): Promise<string> => {
    const tls = { cert: testCertificate, key: testKey };
    return listen(createHttpsServer(tls, (_request, answer) => answer.end('{}')));
  };
  const plain = (): Promise<string> => {
    return listen(createHttpServer((_request, answer) => answer.end('{}')));
  };
  /** A proxy that notes what it is asked for, and for CONNECT leads to the one address given. */
  const proxy = async (target: string): Promise<{ host: string; asked: IncomingMessage[] }> => {
    const asked: IncomingMessage[] = [];
    const server = createHttpServer((request, answer) => {
      asked.push(request);
      answer.end('{}');
    });
    server.on('connect', (request: IncomingMessage, socket: Socket) => {
      asked.push(request);
      const [host = '', port] = target.split(':');
      const there = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        there.pipe(socket).pipe(there);
      });
      const end = (): void => {
        there.destroy();
        socket.destroy();
      };
      for (const one of [there, socket]) one.on('error', end).on('close', end);
    });
    return { host: await listen(server), asked };
  };

  it('trust an authority of the operator beside the usual ones', async () => {
    const host = await secure();
    await expect(
      open(`https://${host}`, { ca: testCertificate }).ping(signal),
    ).resolves.toBeUndefined();
  });

  it('do not trust what nobody vouches for, and say what to do', async () => {
    const host = await secure();
    await expect(open(`https://${host}`).ping(signal)).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      message: expect.stringMatching(/certificate.*option ca/) as unknown,
    });
  });

  it('tell a plain registry behind an https URL', async () => {
    const host = await plain();
    await expect(open(`https://${host}`).ping(signal)).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      message: expect.stringContaining('is it an http:// registry?') as unknown,
    });
  });

  it('tell a name that does not resolve', async () => {
    await expect(open('http://nowhere.invalid').ping(signal)).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      message: expect.stringContaining('DNS') as unknown,
    });
  });

  it.each(['', 'no PEM', testCertificate.replace('MII', 'AAA')])(
    'cannot be made with the authority %j',
    (ca) => {
      expect(() => open('https://reef.test', { ca })).toThrow(/^ca holds/);
    },
  );

  it('go through the proxy of the environment, but for NO_PROXY', async () => {
    const { host, asked } = await proxy('');
    const env = { http_proxy: `http://whale:krill@${host}`, no_proxy: 'direct.invalid' };
    await open('http://reef.invalid', { env }).ping(signal);
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET http://reef.invalid/v2/',
    ]);
    expect(asked[0]?.headers['proxy-authorization']).toBe(`Basic ${btoa('whale:krill')}`);
    await expect(open('http://direct.invalid', { env }).ping(signal)).rejects.toThrow('DNS');
    expect(asked).toHaveLength(1);
  });

  it('go through the configured proxy, by a tunnel for https', async () => {
    const { host, asked } = await proxy(await secure());
    const options = { proxy: host, ca: testCertificate, env: { NO_PROXY: '*' } };
    await open('https://localhost:1', options).ping(signal);
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual(['CONNECT localhost:1']);
  });

  it('do not wait for ever for a proxy that says nothing', async () => {
    const held: Socket[] = [];
    const silent = createHttpServer();
    silent.on('connect', (_request: IncomingMessage, socket: Socket) => held.push(socket));
    const timeouts = { connect: 300, headers: 300, idle: 300 };
    const client = open('https://reef.invalid', { proxy: await listen(silent), timeouts });
    await expect(client.ping(signal)).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
    expect(held).toHaveLength(1);
  });

  it('can be given up while they are being made', async () => {
    const silent = createHttpServer();
    const asked = once(silent, 'connect');
    const timeouts = { connect: 60_000 };
    const client = open('https://reef.invalid', { proxy: await listen(silent), timeouts });
    const controller = new AbortController();
    const ping = client.ping(controller.signal);
    await asked;
    controller.abort(new Error('gone'));
    await expect(ping).rejects.toThrow('gone');
  });

  it('are kept for the next request', async () => {
    const ports = new Set<number | undefined>();
    const host = await listen(
      createHttpServer((request, answer) => {
        ports.add(request.socket.remotePort);
        answer.writeHead(401).end('x'.repeat(1000));
      }),
    );
    const client = open(`http://${host}`);
    for (let round = 0; round < 20; round += 1) {
      await client.ping(signal);
    }
    // The next request may be out before the last body is read to its end.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  it('of blobs do not stand in the way of manifests', async () => {
    const host = await listen(
      createHttpServer((request, answer) => {
        answer.writeHead(200, { 'content-length': 4 });
        if (request.url?.includes('/blobs/')) answer.write('12');
        else answer.end('{  }');
      }),
    );
    const client = open(`http://${host}`, { connections: 1 });
    const { body } = await client.fetchBlob(repository, shelf.layer.digest, undefined, signal);
    expect((await client.fetchManifest(repository, latest, signal)).bytes).toHaveLength(4);
    body.destroy();
  });

  const timeouts = { connect: 100, headers: 100, idle: 100 };

  it('that lead to a registry which hangs tell so, however short its deadlines', async () => {
    const host = await listen(createHttpServer(() => undefined));
    const client = open(`http://${host}`, { timeouts });
    await expect(client.resolve(repository, latest, signal)).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      message: expect.stringContaining('no answer in time') as unknown,
    });
    expect(client.status().urls[0]?.breaker.state).toBe('open');
  });

  describe('that transfers keep busy', () => {
    /** A registry whose blobs flow for ever, and a client with as many transfers as it has connections. */
    const keepBusy = async (connections: number, mirrors: readonly string[] = []) => {
      const host = await listen(
        createHttpServer((request, answer) => {
          answer.writeHead(200, { 'content-length': 1_000_000 });
          if (request.method === 'HEAD') {
            answer.end();
            return;
          }
          const flow = setInterval(() => answer.write('some'), 20);
          answer.on('close', () => clearInterval(flow));
        }),
      );
      const urls = [`http://${host}`, ...mirrors];
      const client = open(`http://${host}`, { connections, timeouts, urls });
      const { digest } = shelf.layer;
      const fetchBlob = () => client.fetchBlob(repository, digest, undefined, signal);
      const running = await Promise.all(Array.from({ length: connections }, fetchBlob));
      resources.defer(() => {
        for (const { body } of running) body.destroy();
      });
      for (const { body } of running) body.resume();
      return { client, digest, running, fetchBlob };
    };

    it.each([1, 2])('(%i of them) do not hold back a HEAD of a blob', async (connections) => {
      const { client, digest } = await keepBusy(connections);
      expect(await client.statBlob(repository, digest, signal)).toEqual({ size: 1_000_000 });
    });

    it('are not waited for without an end, while they flow on', async () => {
      const { running, fetchBlob } = await keepBusy(1);
      await expect(fetchBlob()).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
      expect(running.map(({ body }) => body.destroyed)).toEqual([false]);
    });

    it('are no reason to leave the registry alone', async () => {
      const { client, digest, fetchBlob } = await keepBusy(1);
      await expect(fetchBlob()).rejects.toMatchObject({
        message: expect.stringContaining('no connection to it came free in time') as unknown,
      });
      expect(client.status().urls).toMatchObject([{ breaker: { state: 'closed', failures: 0 } }]);
      expect(await client.statBlob(repository, digest, signal)).toEqual({ size: 1_000_000 });
    });

    it('leave it to a mirror, where there is one', async () => {
      const mirror = await listen(
        createHttpServer((_request, answer) => {
          answer.writeHead(200, { 'content-length': 2 }).end('{}');
        }),
      );
      const { client, fetchBlob } = await keepBusy(1, [`http://${mirror}`]);
      expect((await fetchBlob()).size).toBe(2);
      expect(client.status().urls[0]?.breaker.state).toBe('closed');
    });

    it('go to who waits for one when it comes free', async () => {
      const { running, fetchBlob } = await keepBusy(1);
      const next = fetchBlob();
      running[0]?.body.destroy();
      const { body } = await next;
      running.push({ size: undefined, offset: 0, etag: undefined, body });
      expect((await once(body, 'data'))[0]).toEqual(Buffer.from('some'));
    });
  });
});
