import { randomBytes } from 'node:crypto';
import type { RequestListener, Server } from 'node:http';
import { get } from 'node:https';
import { describe, expect, it } from '@jest/globals';
import { sendContent, type SendResult } from '../../src/http/send-content.ts';
import { HttpServer, type ServerOptions } from '../../src/http/server.ts';
import { FakeReader } from '../support/fake-reader.ts';
import { openSocket, rawGet, readAnswer } from '../support/raw-request.ts';
import { testResources } from '../support/resources.ts';
import { waitFor } from '../support/wait-for.ts';
import { testCertificate, testKey } from '../upstream/tls-fixture.ts';

const resources = testResources();
const errors: Error[] = [];

async function listen(
  listener: RequestListener,
  overrides: Partial<ServerOptions> = {},
): Promise<HttpServer> {
  const options: ServerOptions = {
    host: '127.0.0.1',
    port: 0,
    headersTimeout: 300,
    keepAliveTimeout: 5_000,
    stallTimeout: 10_000,
    maxHeaderSize: 8_192,
    ...overrides,
  };
  errors.length = 0;
  const server = await HttpServer.listen(listener, options, (error) => errors.push(error));
  resources.defer(() => server.drain(0));
  return server;
}

describe('a request', () => {
  it('that expects what nobody knows is answered as if it did not', async () => {
    const server = await listen((_request, response) => void response.end('as ever'));
    const { status, body } = await rawGet(server.port, '/', ['Expect: 200-maybe']);
    expect([status, body]).toEqual([200, expect.stringContaining('as ever')]);
  });
});

describe('a certificate that is renewed', () => {
  const pair = {
    cert: Buffer.from(testCertificate),
    key: Buffer.from(testKey),
    minVersion: 'TLSv1.2' as const,
  };
  const ca = pair.cert;

  /** Whether a client is let in, with a certificate or without. */
  const isLetIn = async (server: HttpServer, certificate: object): Promise<boolean> => {
    const options = { host: '127.0.0.1', port: server.port, agent: false, ca, ...certificate };
    const { promise, resolve } = Promise.withResolvers<boolean>();
    get(options, (answer) => resolve(answer.resume().statusCode === 200)).on('error', () =>
      resolve(false),
    );
    return promise;
  };

  it.each([
    ['stays with the clients’ authority, also without one in its place', ca, undefined],
    ['takes another authority over', ca, ca],
    ['asks no client for one that needed none', undefined, ca],
  ])('%s', async (_what, before, after) => {
    const server = await listen((_request, response) => void response.end('welcome'), {
      tls: { ...pair, ca: before },
    });
    const letIn = async (): Promise<boolean[]> => [
      await isLetIn(server, pair),
      await isLetIn(server, {}),
    ];
    const expected = [true, before === undefined];
    expect(await letIn()).toEqual(expected);
    server.renewCertificate({ ...pair, ca: after });
    expect(await letIn()).toEqual(expected);
  });
});

it.each([
  ['that says nothing', ''],
  ['that stops in the middle of it', '\x16\x03\x01'],
  ['that speaks plain HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
])('a client of TLS %s is closed', async (_what, text) => {
  const cert = Buffer.from(testCertificate);
  const server = await listen(() => undefined, {
    tls: { cert, key: Buffer.from(testKey), ca: undefined, minVersion: 'TLSv1.2' },
    stallTimeout: 60_000,
  });
  const socket = openSocket(server.port);
  resources.defer(() => void socket.destroy());
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(text, 'latin1');
  await closed;
});

describe('an answer under way', () => {
  const head = 'GET / HTTP/1.1\r\nHost: x\r\n';
  const half = 'half of it';

  /** Says these requests to a server that answers none of them to its end, then `more`; gives what comes back. */
  const talk = async (requests: string, more: string): Promise<string> => {
    let asked = 0;
    const server = await listen((_request, response) => {
      // Of pipelined requests only the first has a socket to write to.
      if (++asked > 1) return;
      response.writeHead(200, { 'content-length': 1_000 });
      response.write(half);
    });
    const socket = openSocket(server.port);
    resources.defer(() => void socket.destroy());
    let text = '';
    socket.on('data', (part: Buffer) => {
      if (!text.includes(half) && more !== '') {
        void waitFor('the requests', () => asked === requests.split('GET').length - 1).then(() =>
          socket.write(more),
        );
      }
      text += part.toString('latin1');
    });
    socket.write(requests);
    await new Promise((resolve) => socket.once('close', resolve));
    return text;
  };

  it.each([
    ['a body of its request that never comes', `${head}Content-Length: 5\r\n\r\n`, ''],
    ['garbage behind the request', `${head}\r\n`, 'garbage\r\n\r\n'],
    ['garbage behind a second request', `${head}\r\n${head}\r\n`, 'garbage\r\n\r\n'],
    ['a head that is too large', `${head}\r\n`, `${head}X: ${'x'.repeat(10_000)}\r\n\r\n`],
  ])('is broken off, with no second one inside it, by %s', async (_what, requests, more) => {
    const text = await talk(requests, more);
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(text.endsWith(`\r\n\r\n${half}`)).toBe(true);
  });

  it('that is out stays whole, and what is no HTTP behind it gets a 400', async () => {
    const server = await listen((_request, response) => response.end('all of it'));
    const socket = openSocket(server.port);
    const answer = readAnswer(socket);
    socket.write(`${head}\r\n`);
    socket.once('data', () => socket.write('garbage\r\n\r\n'));
    const { head: first, body } = await answer;
    expect(first).toMatch(/^HTTP\/1\.1 200 /);
    expect(body).toMatch(/^all of itHTTP\/1\.1 400 [\s\S]*"REQUEST_INVALID"/);
  });
});

describe('a connection on which nothing moves', () => {
  const content = randomBytes(32 * 1024 * 1024);
  const send = (reader: FakeReader) => {
    const sent = Promise.withResolvers<SendResult>();
    const listener: RequestListener = (_request, response) => {
      response.writeHead(200, { 'content-length': reader.size });
      sent.resolve(sendContent(response, reader, [{ start: 0, end: reader.size }]));
    };
    return { listener, sent: sent.promise };
  };

  it('is kept while it is the content that is waited for, however long', async () => {
    const reader = new FakeReader(content.subarray(0, 100_000), 1_000);
    const { listener, sent } = send(reader);
    const server = await listen(listener, { stallTimeout: 1_000 });
    const answer = rawGet(server.port, '/');
    await waitFor('the wait', () => reader.isWaitedFor);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    reader.arrive(reader.size);
    expect(await sent).toEqual({ bytes: reader.size, complete: true });
    const { body } = await answer;
    expect(Buffer.from(body, 'latin1').equals(reader.content)).toBe(true);
  });

  it('is cut where its client has stopped reading, also after a wait for the content', async () => {
    const reader = new FakeReader(content, 1_000);
    const { listener, sent } = send(reader);
    const server = await listen(listener, { stallTimeout: 200 });
    const socket = openSocket(server.port);
    resources.defer(() => void socket.destroy());
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.pause();
    await waitFor('the wait', () => reader.isWaitedFor);
    reader.arrive(reader.size);
    expect(await sent).toMatchObject({ complete: false });
    expect(reader).toMatchObject({ held: 0, closed: 1, faults: [] });
  });
});

it('goes on after it could not accept a connection, and says so', async () => {
  const server = await listen((request, response) => {
    // As Node does when the process is out of file descriptors.
    const { server: own } = request.socket as unknown as { server: Server };
    own.emit('error', new Error('accept EMFILE'));
    response.end();
  });
  expect((await rawGet(server.port, '/')).status).toBe(200);
  expect((await rawGet(server.port, '/')).status).toBe(200);
  expect(errors.map(({ message }) => message)).toEqual(['accept EMFILE', 'accept EMFILE']);
});

it('cannot listen where another one does', async () => {
  const { port } = await listen(() => undefined);
  await expect(listen(() => undefined, { port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
