import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { readBody } from '../../src/http/read-body.ts';
import { waitFor } from '../support/wait-for.ts';

const limit = 10_000;
let server: Server;
let port: number;
/** What became of each body. */
let outcomes: (string | number)[];

beforeAll(async () => {
  server = createServer((request, response) => {
    readBody(request, limit).then(
      ({ length }) => {
        outcomes.push(length);
        response.end(String(length));
      },
      (error: { code: string; status: number }) => {
        outcomes.push(error.code);
        response.writeHead(error.status).end();
      },
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.close();
});
beforeEach(() => {
  outcomes = [];
});

describe('a body that is read whole', () => {
  it.each([0, 1, limit])('may have %i bytes', async (size) => {
    const body = new Uint8Array(size).fill(120);
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'PUT', body });
    expect(await answer.text()).toBe(String(size));
  });

  it.each([
    ['a byte too many', limit + 1],
    ['three times too many', 3 * limit],
  ])('is refused with %s, to a client that has sent it all', async (_, size) => {
    for (const body of [new Uint8Array(size), streamOf(size)]) {
      const answer = await fetch(`http://127.0.0.1:${port}/`, {
        method: 'PUT',
        body,
        duplex: 'half',
      });
      expect(answer.status).toBe(413);
    }
    expect(outcomes).toEqual(['SIZE_LIMIT', 'SIZE_LIMIT']);
  });

  it('is refused unread where it says that it is far too large', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write(`PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${limit * 1_000}\r\n\r\n`);
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it('is refused where it never ends', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = `3e8\r\n${'x'.repeat(1_000)}\r\n`;
    const answered = once(socket, 'data');
    for (let sent = 0; sent < 5 * limit; sent += 1_000) socket.write(chunk);
    const [head] = (await answered) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it('is no failure of ours where it breaks off', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc');
    await waitFor('the request', () => socket.bytesWritten > 0);
    socket.end();
    await waitFor('the end', () => outcomes.length > 0);
    expect(outcomes).toEqual(['REQUEST_INVALID']);
  });
});

function streamOf(size: number): ReadableStream<Uint8Array> {
  return new Blob([new Uint8Array(size)]).stream();
}
