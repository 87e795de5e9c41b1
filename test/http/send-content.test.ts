import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type OutgoingHttpHeaders, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sendContent, type Segment, type SendResult } from '../../src/http/send-content.ts';
import { FakeReader } from '../support/fake-reader.ts';
import { openSocket } from '../support/raw-request.ts';
import { testResources } from '../support/resources.ts';
import { waitFor } from '../support/wait-for.ts';
import { testCertificate, testKey } from '../upstream/tls-fixture.ts';

const MiB = 1024 * 1024;
const content = randomBytes(MiB);
const large = randomBytes(16 * MiB);
const whole: Segment = { start: 0, end: content.length };

/** A client that has asked, and what it has got. */
interface Client {
  readonly socket: Socket;
  readonly sent: Promise<SendResult>;
  /** What came after the head. */
  body(): Buffer;
  /** Whether the server ended the connection in good order. */
  hasEnded(): boolean;
  error(): NodeJS.ErrnoException | undefined;
}

interface Question {
  readonly segments?: readonly Segment[];
  readonly headers?: OutgoingHttpHeaders;
  readonly version?: '1.0' | '1.1';
  readonly tls?: boolean;
  /** Whether the client leaves before there is an answer. */
  readonly leaves?: boolean;
}

const resources = testResources();
let readers: FakeReader[];
beforeEach(() => {
  readers = [];
});
afterEach(async () => {
  await waitFor('all memory to be given back, and every reader to be closed', () =>
    readers.every(({ held, closed }) => held === 0 && closed > 0),
  );
  expect(readers.map(({ held, closed, faults }) => ({ held, closed, faults }))).toEqual(
    readers.map(() => ({ held: 0, closed: 1, faults: [] })),
  );
});

function readerOf(bytes: Buffer, arrived?: number): FakeReader {
  const reader = new FakeReader(bytes, arrived);
  readers.push(reader);
  return reader;
}

/** Asks a server that answers with the segments of the reader. */
async function ask(reader: FakeReader, question: Question = {}): Promise<Client> {
  const {
    segments = [whole],
    headers = {},
    version = '1.1',
    tls = false,
    leaves = false,
  } = question;
  const sent = Promise.withResolvers<SendResult>();
  const listener: RequestListener = (_request, response) => {
    const answer = (): void => {
      response.writeHead(200, headers);
      sent.resolve(sendContent(response, reader, segments));
    };
    if (!leaves) answer();
    else {
      response.once('close', () => setImmediate(answer));
      socket.destroy();
    }
  };
  const server = tls
    ? createTlsServer({ cert: testCertificate, key: testKey }, listener)
    : createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = tls
    ? connectTls({ port, host: '127.0.0.1', ca: testCertificate })
    : openSocket(port);
  resources.defer(() => {
    socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  const parts: Buffer[] = [];
  let ended = false;
  let failure: NodeJS.ErrnoException | undefined;
  socket.on('data', (part: Buffer) => parts.push(part));
  socket.on('end', () => (ended = true));
  socket.on('error', (error) => (failure = error));
  socket.write(`GET / HTTP/${version}\r\nHost: x\r\n\r\n`);
  return {
    socket,
    sent: sent.promise,
    body() {
      const all = Buffer.concat(parts);
      return all.subarray(all.indexOf('\r\n\r\n') + 4);
    },
    hasEnded: () => ended,
    error: () => failure,
  };
}

const sized = (size: number): OutgoingHttpHeaders => ({ 'content-length': size });
const closed = async ({ socket }: Client): Promise<void> => {
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
};

describe.each([
  ['is in memory', true],
  ['has to be read', false],
])('content that %s', (_where, inMemory) => {
  it('is sent segment by segment, in order, with what is between them', async () => {
    const reader = readerOf(content);
    reader.inMemory = inMemory;
    const segments = [
      Buffer.from('first'),
      { start: 700_000, end: 900_000 },
      Buffer.from('between'),
      { start: 0, end: 1 },
      { start: 5, end: 5 },
      { start: 1, end: 100_000 },
      Buffer.from('last'),
    ];
    const expected = Buffer.concat(
      segments.map((each) =>
        Buffer.isBuffer(each) ? each : content.subarray(each.start, each.end),
      ),
    );
    const client = await ask(reader, { segments, headers: sized(expected.length) });
    expect(await client.sent).toEqual({ bytes: expected.length, complete: true });
    await waitFor('the body', () => client.body().length >= expected.length);
    expect(client.body().equals(expected)).toBe(true);
  });

  it('is sent ever faster to a client that keeps up, with two pieces at most in its hands', async () => {
    const reader = readerOf(large);
    reader.inMemory = inMemory;
    reader.pieceSize = MiB / 2;
    const segments = [{ start: 0, end: large.length }];
    const client = await ask(reader, { segments, headers: sized(large.length) });
    expect(await client.sent).toEqual({ bytes: large.length, complete: true });
    await waitFor('the body', () => client.body().length === large.length);
    expect(client.body().equals(large)).toBe(true);
    expect(reader.asked[0]).toEqual({ pace: 'new', held: 0 });
    expect(reader.asked.at(-1)?.pace).toBe('swift');
    expect(reader.asked.filter(({ pace, held }) => held > (pace === 'swift' ? 1 : 0))).toEqual([]);
    if (!inMemory) expect(reader.asked.some(({ held }) => held === 1)).toBe(true);
  });

  it('is sent as it arrives', async () => {
    const reader = readerOf(content, 0);
    reader.inMemory = inMemory;
    const client = await ask(reader, { headers: sized(content.length) });
    for (const offset of [1, 2, 100_000, content.length - 1, content.length]) {
      await waitFor('the next wait', () => reader.isWaitedFor);
      reader.arrive(offset);
      await waitFor('what has arrived', () => client.body().length === offset);
    }
    expect(await client.sent).toEqual({ bytes: content.length, complete: true });
    expect(client.body().equals(content)).toBe(true);
  });

  it('is sent piece by piece to a client that lets it wait', async () => {
    const reader = readerOf(large);
    reader.inMemory = inMemory;
    const segments = [{ start: 0, end: large.length }];
    const client = await ask(reader, { segments, headers: sized(large.length) });
    client.socket.pause();
    let count = -1;
    await waitFor('the client’s buffers to be full', () => {
      const isStuck = count > 0 && count === reader.asked.length;
      count = reader.asked.length;
      return isStuck;
    });
    // Longer than a client may take for one write and still count as one that keeps up.
    await sleep(1_100);
    const before = reader.asked.length;
    client.socket.resume();
    await client.sent;
    await waitFor('the body', () => client.body().length === large.length);
    expect(client.body().equals(large)).toBe(true);
    const slow = reader.asked.slice(before).filter(({ pace }) => pace === 'slow');
    expect(slow.length).toBeGreaterThan(0);
    expect(slow.every(({ held }) => held === 0)).toBe(true);
  });

  it('gives its memory back when the client leaves in the middle of a write', async () => {
    const reader = readerOf(large);
    reader.inMemory = inMemory;
    const segments = [{ start: 0, end: large.length }];
    const client = await ask(reader, { segments, headers: sized(large.length) });
    client.socket.pause();
    await waitFor('a write', () => reader.held > 0);
    client.socket.destroy();
    const result = await client.sent;
    expect(result.complete).toBe(false);
    expect(result.error).toBeUndefined();
    expect(result.bytes).toBeLessThan(large.length);
  });
});

describe('a client that leaves', () => {
  it('during a read costs that read, after which the reader is closed', async () => {
    const reader = readerOf(content);
    const gate = Promise.withResolvers<void>();
    reader.gate = gate.promise;
    const client = await ask(reader, { headers: sized(content.length) });
    await waitFor('the read', () => reader.isReading);
    client.socket.destroy();
    expect(await client.sent).toEqual({ bytes: 0, complete: false });
    expect(reader.closed).toBe(0);
    gate.resolve();
  });

  it('during a read that fails afterwards is not told of it', async () => {
    const reader = readerOf(content);
    const gate = Promise.withResolvers<void>();
    reader.gate = gate.promise;
    const client = await ask(reader, { headers: sized(content.length) });
    await waitFor('the read', () => reader.isReading);
    client.socket.destroy();
    expect(await client.sent).toEqual({ bytes: 0, complete: false });
    reader.readFailure = new Error('the disk is gone');
    gate.resolve();
  });

  it.each([
    ['goes on', (reader: FakeReader) => reader.arrive(content.length)],
    ['fails', (reader: FakeReader) => reader.fail(new Error('the upstream is gone'))],
  ])('during a wait is forgotten when the content %s', async (_how, end) => {
    const reader = readerOf(content, 1000);
    const client = await ask(reader, { headers: sized(content.length) });
    await waitFor('the wait', () => reader.isWaitedFor && client.body().length === 1000);
    client.socket.destroy();
    expect(await client.sent).toEqual({ bytes: 1000, complete: false });
    end(reader);
  });
});

describe('content that fails underway', () => {
  const failure = new Error('the upstream is gone');
  const failing = async (question: Question): Promise<Client> => {
    const reader = readerOf(content, 1000);
    const client = await ask(reader, question);
    await waitFor('the wait', () => reader.isWaitedFor && client.body().length >= 1000);
    reader.fail(failure);
    expect(await client.sent).toEqual({ bytes: 1000, complete: false, error: failure });
    await closed(client);
    return client;
  };

  it('breaks the connection before its announced length', async () => {
    const client = await failing({ headers: sized(content.length) });
    expect(client.body().equals(content.subarray(0, 1000))).toBe(true);
  });

  it('breaks the connection before the last chunk where no length was announced', async () => {
    const client = await failing({ segments: [{ start: 0, end: Infinity }] });
    expect(client.body().length).toBeGreaterThan(1000);
    expect(client.body().toString('latin1')).not.toContain('0\r\n\r\n');
  });

  it('resets an HTTP/1.0 connection, whose end would look like that of the body', async () => {
    const client = await failing({ segments: [{ start: 0, end: Infinity }], version: '1.0' });
    expect(client.error()?.code).toBe('ECONNRESET');
    expect(client.hasEnded()).toBe(false);
  });

  it('breaks an HTTP/1.0 connection over TLS as well', async () => {
    const question: Question = { version: '1.0', tls: true };
    const client = await failing({ ...question, segments: [{ start: 0, end: Infinity }] });
    expect(client.body().equals(content.subarray(0, 1000))).toBe(true);
  });

  it('breaks the connection where it cannot be read', async () => {
    const reader = readerOf(content);
    reader.readFailure = new Error('the disk is gone');
    const client = await ask(reader, { headers: sized(content.length) });
    const error = reader.readFailure;
    expect(await client.sent).toEqual({ bytes: 0, complete: false, error });
    await closed(client);
  });

  it('breaks the connection where it ends too early', async () => {
    const segments = [{ start: content.length - 10, end: content.length + 10 }];
    const client = await ask(readerOf(content), { segments, headers: sized(20) });
    const error = new Error('the content ended before its announced length');
    expect(await client.sent).toEqual({ bytes: 10, complete: false, error });
    await closed(client);
    expect(client.body()).toHaveLength(10);
  });
});

it('ends a body of unknown length where the content ends', async () => {
  const segments = [{ start: 0, end: Infinity }];
  const client = await ask(readerOf(content), { segments, version: '1.0' });
  expect(await client.sent).toEqual({ bytes: content.length, complete: true });
  await closed(client);
  expect(client.hasEnded()).toBe(true);
  expect(client.body().equals(content)).toBe(true);
});

it('ends a body of nothing', async () => {
  const client = await ask(readerOf(content), { segments: [], headers: sized(0) });
  expect(await client.sent).toEqual({ bytes: 0, complete: true });
});

it('lets go of the content where the client has left before there was an answer', async () => {
  const client = await ask(readerOf(content, 0), { leaves: true });
  expect(await client.sent).toEqual({ bytes: 0, complete: false });
});
