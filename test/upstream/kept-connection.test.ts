import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { Tag } from '../../src/oci/reference.ts';
import { RegistryClient } from '../../src/upstream/registry-client.ts';
import { repository } from '../contract/upstream.ts';
import { testResources } from '../support/resources.ts';

const { signal } = new AbortController();
const tag = 'v1' as Tag;
const found = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n';

/** What a server does with a request: the `nth` of its connection, which is the `connection`th. */
type Play = (socket: Socket, nth: number, connection: number) => void;

describe('a connection that the registry closes', () => {
  const resources = testResources();
  let seen: string[];

  const open = async (play: Play): Promise<RegistryClient> => {
    seen = [];
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      const connection = sockets.size;
      let requests = 0;
      socket.on('error', () => {});
      socket.on('data', () => {
        seen.push(`${connection}.${++requests}`);
        play(socket, requests, connection);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    resources.defer(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = new RegistryClient({ name: 'reef', urls: [url], env: {}, connections: 1 });
    resources.defer(() => client.close());
    return client;
  };
  const failures = (client: RegistryClient): number | undefined =>
    client.status().urls[0]?.breaker.failures;

  it.each([
    ['ends', (socket: Socket) => socket.end()],
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
  ])('under a request, once it has been in use, is replaced: it %s', async (_how, close) => {
    const client = await open((socket, nth, connection) => {
      if (nth > 1 && connection === 1) close(socket);
      else socket.write(found);
    });
    for (let round = 0; round < 3; round++) await client.fetchManifest(repository, tag, signal);
    expect(seen.slice(0, 3)).toEqual(['1.1', '1.2', '2.1']);
    expect(failures(client)).toBe(0);
  });

  it('each time is replaced once, and then counts as a failure', async () => {
    const client = await open((socket, nth, connection) => {
      if (connection === 1 && nth === 1) socket.write(found);
      else socket.resetAndDestroy();
    });
    await client.fetchManifest(repository, tag, signal);
    await expect(client.fetchManifest(repository, tag, signal)).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
    });
    expect(seen).toEqual(['1.1', '1.2', '2.1']);
    expect(failures(client)).toBe(1);
  });

  it('at its very first request is not replaced', async () => {
    const client = await open((socket) => socket.resetAndDestroy());
    await expect(client.fetchManifest(repository, tag, signal)).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
    });
    expect(seen).toEqual(['1.1']);
    expect(failures(client)).toBe(1);
  });
});
