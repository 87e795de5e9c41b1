import { beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { FetchedBlob, ResumePoint } from '../../src/upstream/upstream.ts';
import type { RegistryClientOptions } from '../../src/upstream/registry-client-options.ts';
import { RegistryClient } from '../../src/upstream/registry-client.ts';
import { repository, shelf } from '../contract/upstream.ts';
import { testResources } from '../support/resources.ts';
import { LoopbackServer } from '../support/scripted/loopback-server.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';
import { RecordingObserver } from './recording-observer.ts';

const { layer } = shelf;
const timeouts = { connect: 300, headers: 300, idle: 300, slow: 300, body: 500, token: 300 };

describe('a transfer', () => {
  const resources = testResources();
  const { signal } = new AbortController();
  let scripted: ScriptedUpstream;
  let client: RegistryClient;
  const open = (
    url: string,
    observer = new RecordingObserver(),
    options: Partial<RegistryClientOptions> = {},
  ): RegistryClient => {
    const urls = [url];
    const all = { name: 'reef', urls, timeouts, env: {}, observer, ...options };
    const made = new RegistryClient(all);
    resources.defer(() => made.close());
    return made;
  };
  const fetchBlob = (resume?: ResumePoint): Promise<FetchedBlob> =>
    client.fetchBlob(repository, layer.digest, resume, signal);
  /** A server that says these bytes to every request, and then nothing, or one space after the other. */
  const raw = async (answer: string, { end = false, trickles = false } = {}): Promise<string> => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('data', () => (end ? socket.end(answer) : socket.write(answer)));
      if (!trickles) return;
      const timer = setInterval(() => socket.write(' '), 20);
      socket.once('close', () => clearInterval(timer));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    resources.defer(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  beforeEach(async () => {
    scripted = resources.use(await ScriptedUpstream.start());
    scripted.add(repository, 'latest', shelf.image);
    client = open(scripted.url);
  });

  it('that breaks off ends with an error, after what came', async () => {
    scripted.fault({ on: 'blob-get', truncateAt: 100_000 });
    const { body } = await fetchBlob();
    let received = 0;
    body.on('data', (chunk: Buffer) => (received += chunk.length));
    const [error] = (await once(body, 'error')) as [unknown];
    expect(error).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    expect(received).toBe(100_000);
  });

  it('that ends short of its length ends with an error', async () => {
    client = open(await raw('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfive!', { end: true }));
    await expect(buffer((await fetchBlob()).body)).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
    });
  });

  it('in chunks that breaks off ends with an error', async () => {
    scripted.fault({ on: 'blob-get', truncateAt: 100_000, chunked: true });
    const { size, body } = await fetchBlob();
    expect(size).toBeUndefined();
    await expect(buffer(body)).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
  });

  it('of a part in chunks is held to the length of the part', async () => {
    const head =
      'HTTP/1.1 206 OK\r\ncontent-range: bytes 5-9/10\r\ntransfer-encoding: chunked\r\n\r\n';
    client = open(await raw(`${head}4\r\nfour\r\n0\r\n\r\n`, { end: true }));
    await expect(buffer((await fetchBlob({ offset: 5 })).body)).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
    });
    client = open(await raw(`${head}6\r\nsixsix\r\n0\r\n\r\n`, { end: true }));
    await expect(buffer((await fetchBlob({ offset: 5 })).body)).rejects.toMatchObject({
      code: 'UPSTREAM_INVALID',
    });
  });

  it('that stops flowing ends at the idle deadline', async () => {
    scripted.fault({ on: 'blob-get', holdAt: { bytes: 1000 } });
    await expect(buffer((await fetchBlob()).body)).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
    });
  });

  it('that flows slowly but does flow is left alone, however long it takes', async () => {
    scripted.fault({ on: 'blob-get', rate: 250_000 });
    const { body } = await fetchBlob();
    expect((await buffer(body)).equals(layer.bytes)).toBe(true);
  });

  it('that trickles ends after a while, as one that stopped', async () => {
    scripted.options.rate = 20_000;
    client = open(scripted.url, undefined, { minRate: 200_000 });
    const { body } = await fetchBlob();
    await expect(buffer(body)).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      message: expect.stringContaining('less than 200000 bytes a second') as unknown,
    });
  });

  it('may trickle where any pace will do', async () => {
    scripted.options.rate = 500_000;
    client = open(scripted.url, undefined, { minRate: 0 });
    expect((await buffer((await fetchBlob()).body)).length).toBe(layer.bytes.length);
  });

  it('of a manifest that trickles is not waited for without end', async () => {
    const head = 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n';
    client = open(await raw(head, { trickles: true }));
    await expect(client.fetchManifest(repository, layer.digest, signal)).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
    });
  });

  it('of a blob that is larger than may be is refused, and one without an end is cut off', async () => {
    const options = { maxBlobSize: 200_000 };
    client = open(scripted.url, undefined, options);
    await expect(fetchBlob()).rejects.toMatchObject({
      code: 'UPSTREAM_INVALID',
      message: expect.stringContaining('max_blob_size') as unknown,
    });
    scripted.fault({ on: 'blob-get', chunked: true });
    const { size, body } = await fetchBlob();
    expect(size).toBeUndefined();
    await expect(buffer(body)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' });
  });

  it('of a manifest or a list without an end is cut off', async () => {
    const endless = new LoopbackServer((_seen, answer) => {
      answer.writeHead(200, { 'content-type': 'application/json' });
      const spaces = new Readable({ read: () => void spaces.push(' '.repeat(65_536)) });
      spaces.pipe(answer).once('close', () => spaces.destroy());
    });
    await resources.use(endless).start();
    client = open(endless.origin, undefined, { timeouts: { ...timeouts, body: 60_000 } });
    const invalid = { code: 'UPSTREAM_INVALID' };
    await expect(client.fetchManifest(repository, layer.digest, signal)).rejects.toMatchObject(
      invalid,
    );
    await expect(client.listTags(repository, signal)).rejects.toMatchObject(invalid);
  });

  it('is not idle while it is its reader who waits', async () => {
    const { body } = await fetchBlob();
    await new Promise((resolve) => setTimeout(resolve, 900));
    expect((await buffer(body)).equals(layer.bytes)).toBe(true);
  });

  it('that nobody reads does not bring the process down when it breaks', async () => {
    const release = Promise.withResolvers<void>();
    scripted.fault({
      on: 'blob-get',
      truncateAt: 1001,
      holdAt: { bytes: 1000, until: release.promise },
    });
    const { body } = await fetchBlob();
    release.resolve();
    await waitFor('the break', () => body.errored);
    expect(body.errored).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
  });

  it('that is let go closes its connection', async () => {
    const closed = Promise.withResolvers<void>();
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('close', () => {
        closed.resolve();
      });
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfive!'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    resources.defer(() => void server.close());
    client = open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    (await fetchBlob()).body.destroy();
    await closed.promise;
  });

  it('under way ends with an error when the client is closed', async () => {
    scripted.fault({ on: 'blob-get', holdAt: { bytes: 1000 } });
    const { body } = await fetchBlob();
    const read = buffer(body);
    await client.close();
    await expect(read).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
  });

  it('answered with another range is refused', async () => {
    const range = { 'content-range': 'bytes 0-4/10' };
    scripted.fault({ on: 'blob-get', instead: { status: 206, headers: range, body: 'five!' } });
    await expect(fetchBlob({ offset: 5 })).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' });
  });

  it('whose range is ignored starts at the beginning', async () => {
    scripted.fault({ on: 'blob-get', ignoreRange: true });
    const { offset, size, body } = await fetchBlob({ offset: 5 });
    expect([offset, size]).toEqual([0, layer.bytes.length]);
    expect((await buffer(body)).equals(layer.bytes)).toBe(true);
  });

  it.each([
    ['is silent', ''],
    ['drips headers for ever', 'HTTP/1.1 200 OK\r\nx: y'],
  ])('from a server that %s times out', async (_what, said) => {
    const observer = new RecordingObserver();
    client = open(await raw(said), observer);
    await expect(fetchBlob()).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
    expect(observer.requests).toMatchObject([{ kind: 'blob', status: 'timeout' }]);
  });

  it('of a manifest that stops flowing times out as well', async () => {
    client = open(await raw('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfive!'));
    await expect(client.fetchManifest(repository, layer.digest, signal)).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
    });
  });

  it('from what does not speak HTTP is refused', async () => {
    client = open(await raw('SSH-2.0-OpenSSH_9.6\r\n', { end: true }));
    await expect(fetchBlob()).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' });
  });

  it('leaves no connection behind after errors and redirects', async () => {
    scripted.fault({ on: 'blob-get', instead: { status: 403, body: 'x'.repeat(10_000) } });
    for (let round = 0; round < 50; round += 1) {
      await expect(fetchBlob()).rejects.toMatchObject({ code: 'UPSTREAM_DENIED' });
    }
    scripted.faults.clear();
    expect((await buffer((await fetchBlob()).body)).equals(layer.bytes)).toBe(true);
  });
});
