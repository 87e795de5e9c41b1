import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { Agent, get as httpGet, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { get, startGet } from '../support/http-get.ts';
import { seededImage, type Content } from '../support/images.ts';
import { openSocket, rawGet, rawRequest, readAnswer } from '../support/raw-request.ts';
import { suiteResources, testResources } from '../support/resources.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(120_000);

const MiB = 1024 * 1024;
const image = seededImage([8 * MiB], 91);
const [config, layer] = image.blobs as [Content, Content];
let upstream: ScriptedUpstream;
let baleen: Baleen;

/** Starts Baleen before its upstream, with little patience for its clients. */
async function start(resources: Pick<AsyncDisposableStack, 'use'>): Promise<void> {
  upstream = resources.use(await ScriptedUpstream.start());
  upstream.add('blue/whale', 'v1', image);
  baleen = resources.use(
    await Baleen.start({
      ...dockerHubScripted(upstream),
      server: { headers_timeout: '2s', keep_alive_timeout: '2s', stall_timeout: '2s' },
      // What the clients do would fill the tests' memory with lines.
      log: { access: false, level: 'warn' },
    }),
  );
}

const blobUrl = ({ digest }: Content): string => `${baleen.url}/v2/blue/whale/blobs/${digest}`;

/** Files that the process has open. */
const openFiles = (): number => readdirSync(`/proc/${String(baleen.process.pid)}/fd`).length;

/** Waits until everything that a storm made the process hold is let go. */
async function settled(before: number): Promise<void> {
  await waitFor(
    'the files to be closed',
    // A connection or two to the upstream may be kept for the next question.
    () => openFiles() <= before + 4,
    30_000,
  );
  await waitFor('downloads to end', async () => {
    const gauges = ['baleen_downloads_in_flight', 'baleen_download_readers'];
    const values = await Promise.all(gauges.map((gauge) => baleen.metric(gauge)));
    return values.every((value) => value === 0);
  });
  expect(baleen.process.exit).toBeUndefined();
  expect((await get(blobUrl(layer))).digest).toBe(layer.digest);
}

describe('a storm', () => {
  const resources = testResources();
  beforeEach(() => start(resources));

  it('of ranges over a cold blob is one transfer, and every byte is right; warm, it is none', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 64 });
    resources.defer(() => agent.destroy());
    const size = 32 * 1024;
    const storm = async (): Promise<boolean[]> => {
      const starts = Array.from({ length: 256 }, (_, index) => index * size);
      starts.sort(() => randomInt(2) - 0.5);
      return Promise.all(
        starts.map(async (start) => {
          const range = `bytes=${start}-${start + size - 1}`;
          const request = httpGet(blobUrl(layer), { agent, headers: { range } });
          const [answer] = (await once(request, 'response')) as [IncomingMessage];
          const bytes = await buffer(answer);
          return (
            answer.statusCode === 206 && bytes.equals(layer.bytes.subarray(start, start + size))
          );
        }),
      );
    };
    expect(new Set(await storm())).toEqual(new Set([true]));
    expect(upstream.count('blob-get')).toBe(1);
    expect(new Set(await storm())).toEqual(new Set([true]));
    expect(upstream.count('blob-get')).toBe(1);
  });

  it.each(['cold', 'warm'])(
    'of clients that leave in the middle of a %s blob leaves nothing behind',
    async (kind) => {
      await get(blobUrl(kind === 'warm' ? layer : config));
      upstream.options.rate = 16 * MiB;
      const before = openFiles();
      for (let round = 0; round < 5; round++) {
        const clients = Array.from({ length: 100 }, () => startGet(blobUrl(layer)));
        await waitFor('some of it to have come', () =>
          clients.some((client) => client.received() > 0),
        );
        for (const client of clients) setTimeout(() => client.abort(), randomInt(200));
        await Promise.all(clients.map(({ outcome }) => outcome));
      }
      await settled(before);
      expect(upstream.count('blob-get', layer.digest)).toBe(1);
    },
  );

  it('of idle connections is let go after its time', async () => {
    const before = openFiles();
    const sockets = Array.from({ length: 1_000 }, () => openSocket(baleen.port));
    resources.defer(() => sockets.forEach((socket) => socket.destroy()));
    let answered = 0;
    for (const socket of sockets) {
      socket.once('data', () => answered++);
      socket.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n');
    }
    await waitFor('every answer', () => answered === sockets.length);
    await settled(before);
  });

  it('of heads that never end is let go after its time, and others are served meanwhile', async () => {
    const before = openFiles();
    const sockets = Array.from({ length: 1_000 }, () => openSocket(baleen.port));
    resources.defer(() => sockets.forEach((socket) => socket.destroy()));
    for (const socket of sockets) socket.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n');
    const closed = Promise.all(sockets.map(async (socket) => once(socket.resume(), 'close')));
    expect((await get(blobUrl(layer))).digest).toBe(layer.digest);
    await closed;
    await settled(before);
  });

  it('of clients that do not read is let go after its time, and others are served meanwhile', async () => {
    await get(blobUrl(layer));
    const before = openFiles();
    const sockets = Array.from({ length: 200 }, () => openSocket(baleen.port));
    resources.defer(() => sockets.forEach((socket) => socket.destroy()));
    for (const socket of sockets) {
      socket.pause();
      socket.write(`GET /v2/blue/whale/blobs/${layer.digest} HTTP/1.1\r\nHost: x\r\n\r\n`);
    }
    // One or two files that were open before may have been closed meanwhile.
    await waitFor('all of them to be held', () => openFiles() > before + 190);
    expect((await get(blobUrl(layer))).digest).toBe(layer.digest);
    await settled(before);
  });
});

describe('a strange client', () => {
  const resources = suiteResources();
  beforeAll(() => start(resources));

  const manifestPath = '/v2/blue/whale/manifests/v1';

  it('that puts a body into a GET is answered, and its next request too', async () => {
    const socket = openSocket(baleen.port);
    const answer = readAnswer(socket);
    socket.write(`GET ${manifestPath} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nkrill`);
    socket.write('GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const { head, body } = await answer;
    expect(head).toMatch(/^HTTP\/1\.1 200 /);
    expect(body).toMatch(/HTTP\/1\.1 200 [\s\S]*\{\}$/);
  });

  it('that asks for many things at once gets them whole and in order', async () => {
    const paths = Array.from({ length: 20 }, () => [
      manifestPath,
      `/v2/blue/whale/blobs/${config.digest}`,
      `/v2/blue/whale/blobs/${layer.digest}`,
      '/v2/blue/whale/manifests/none',
    ]).flat();
    const socket = openSocket(baleen.port);
    const received = buffer(socket);
    socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''));
    socket.write('GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const bytes = await received;
    const bodies = paths.map((path) => {
      if (path === manifestPath) return image.manifest.bytes;
      return [config, layer].find(({ digest }) => path.endsWith(digest))?.bytes;
    });
    let at = 0;
    for (const body of bodies) {
      const head = bytes.subarray(at, bytes.indexOf('\r\n\r\n', at) + 4).toString('latin1');
      at += head.length;
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      expect(head.slice(9, 12)).toBe(body === undefined ? '404' : '200');
      if (body !== undefined) expect(bytes.subarray(at, at + length).equals(body)).toBe(true);
      at += length;
    }
    expect(bytes.subarray(at).toString('latin1')).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\n\{\}$/);
  });

  it('that speaks HTTP/1.0, without a host, gets the whole and its end', async () => {
    const socket = openSocket(baleen.port);
    const received = buffer(socket);
    socket.write(`GET /v2/blue/whale/blobs/${layer.digest} HTTP/1.0\r\n\r\n`);
    const bytes = await received;
    const end = bytes.indexOf('\r\n\r\n') + 4;
    expect(bytes.subarray(0, end).toString()).toMatch(/^HTTP\/1\.1 200 [^]*content-length/i);
    expect(bytes.subarray(end).equals(layer.bytes)).toBe(true);
  });

  it.each([
    ['PROPFIND', 405],
    ['OPTIONS', 405],
    ['TRACE', 405],
    ['BREW', 400],
    ['get', 400],
  ])('that says %s is answered %i', async (method, status) => {
    const head = `${method} ${manifestPath} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    const answer = await rawRequest(baleen.port, head);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ errors: [{ code: expect.any(String) }] });
  });

  it.each(['CONNECT x:80', 'OPTIONS *', 'GET http://evil.example/v2/', 'GET //evil.example/v2/'])(
    'that wants a proxy gets none: %s',
    async (line) => {
      const head = `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
      upstream.forget();
      const { status, body } = await rawRequest(baleen.port, head);
      expect([0, 200, 400, 404, 405]).toContain(status);
      // A whole URL is a way to ask the server itself (RFC 9112, section 3.2.2).
      if (status === 200) expect(body).toBe('{}');
      expect(upstream.total).toBe(0);
    },
  );

  it.each([
    ['12 KiB', 12, [400, 404]],
    ['64 KiB', 64, [431]],
  ])('that asks for a URL of %s gets an error', async (_what, length, statuses) => {
    const long = 'a'.repeat(length * 1024);
    const answers = await Promise.all([
      rawGet(baleen.port, `/v2/blue/${long}/manifests/v1`),
      rawGet(baleen.port, `${manifestPath}?ns=${long}`),
      rawGet(baleen.port, `/${long}`),
    ]);
    for (const { status } of answers) expect(statuses).toContain(status);
  });

  it('that sends ten thousand headers is refused', async () => {
    const headers = Array.from({ length: 10_000 }, (_, index) => `x${index}: y`);
    expect((await rawGet(baleen.port, '/v2/', headers)).status).toBe(431);
  });

  it.each(['POST /v2/blue/whale/blobs/uploads/', `PUT ${manifestPath}`])(
    'whose body never ends is answered, cut off, and costs no memory: %s',
    async (line) => {
      const socket = openSocket(baleen.port);
      resources.defer(() => void socket.destroy());
      const piece = Buffer.alloc(64 * 1024, 'x');
      const chunk = Buffer.concat([Buffer.from('10000\r\n'), piece, Buffer.from('\r\n')]);
      let isOver = false;
      let sent = 0;
      const send = (): void => {
        if (isOver) return;
        sent += chunk.length;
        if (socket.write(chunk)) setImmediate(send);
        else socket.once('drain', send);
      };
      socket.once('close', () => (isOver = true));
      socket.write(`${line} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
      send();
      const { status } = await readAnswer(socket);
      expect(status).toBe(405);
      expect(sent).toBeGreaterThan(MiB);
      expect(await baleen.metric('process_resident_memory_bytes')).toBeLessThan(400 * MiB);
    },
  );
});
