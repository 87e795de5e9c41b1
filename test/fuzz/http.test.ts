import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { openSocket, readAnswer, type RawAnswer } from '../support/raw-request.ts';
import { seededImage } from '../support/images.ts';
import { Random } from '../support/random.ts';
import { startRegistryApp, type RegistryApp } from '../support/registry-app.ts';
import { onTheWire, RandomRequests } from './random-request.ts';

jest.setTimeout(60_000);

const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const inputs = Number(process.env['FUZZ_INPUTS'] ?? 4_000);
const lanes = 16;

describe(`a server that is sent anything at all (FUZZ_SEED=${String(seed)})`, () => {
  const image = seededImage([3_000], 3);
  let app: RegistryApp;

  beforeAll(async () => {
    app = await startRegistryApp();
    const { manifest, blobs } = image;
    for (const blob of blobs) app.hub.addBlob('library/whale', blob.bytes);
    for (const name of ['library/whale:v1', `library/whale@${manifest.digest}`]) {
      app.hub.manifests.set(name, manifest);
    }
    app.hub.tags.set('library/whale', ['latest', 'v1']);
  });

  afterAll(() => app.dispose());

  /** Sends bytes on a connection of their own and reads until the server closes it. */
  const send = async (bytes: Buffer): Promise<RawAnswer> => {
    const socket = openSocket(app.server.port);
    await once(socket, 'connect');
    const answer = readAnswer(socket);
    socket.write(bytes);
    return answer;
  };
  /** Does something for each input, some at once. */
  const forEach = async (work: (random: Random, nth: number) => Promise<void>): Promise<void> => {
    let nth = 0;
    const lane = async (): Promise<void> => {
      while (nth < inputs) {
        nth += 1;
        await work(new Random(seed * 1_000_000 + nth), nth);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  };

  it('answers every request that is valid HTTP, never with a failure of its own', async () => {
    const digests = [image.manifest.digest, ...image.blobs.map(({ digest }) => digest)];
    const statuses = new Map<number, number>();
    const wrong: string[] = [];
    await forEach(async (random) => {
      const request = new RandomRequests(random, digests).next();
      const { status, head, body } = await send(onTheWire(request));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      const isError = status >= 400 && status < 500;
      const isHonest = status >= 200 && status < 500;
      const isInForm = !isError || request.method === 'HEAD' || isRegistryAnswer(head, body);
      if (!isHonest || !isInForm) {
        wrong.push(
          `${onTheWire(request).toString('latin1').slice(0, 500)}\n→ ${head}\n${body.slice(0, 200)}`,
        );
      }
    });
    expect(wrong.slice(0, 3)).toEqual([]);
    // Some have to get through, or nothing but the first check was tried.
    for (const status of [200, 201, 206, 400, 404, 405])
      expect(statuses.get(status)).toBeGreaterThan(0);
    expect(app.failed).toEqual([]);
  });

  it('closes the connection on which something comes that is no HTTP', async () => {
    const wrong: string[] = [];
    const digests = image.blobs.map(({ digest }) => digest);
    await forEach(async (random) => {
      const bytes = damaged(onTheWire(new RandomRequests(random, digests).next()), random);
      const socket = openSocket(app.server.port);
      await once(socket, 'connect');
      const answer = readAnswer(socket);
      socket.end(bytes);
      const { status, head } = await answer;
      // A request that has lost its end gets no answer; one that is still valid, any honest one.
      if (status !== 0 && !(status >= 200 && status < 500))
        wrong.push(`${bytes.toString('latin1')}\n→ ${head}`);
    });
    expect(wrong.slice(0, 3)).toEqual([]);
    expect(app.failed).toEqual([]);
  });

  it('answers as well as ever afterwards', async () => {
    const answer = await fetch(`${app.url}/v2/whale/manifests/v1`);
    expect([answer.status, await answer.text()]).toEqual([200, image.manifest.bytes.toString()]);
  });
});

/** Whether an error has the form of the distribution specification, "Error Codes". */
function isRegistryAnswer(head: string, body: string): boolean {
  if (!/^content-type: application\/json/im.test(head)) return false;
  const { errors } = JSON.parse(body) as { errors: { code?: unknown; message?: unknown }[] };
  return errors.length === 1 && /^[A-Z_]+$/.test(String(errors[0]?.code));
}

/** Some bytes lost, doubled, replaced or put in. */
function damaged(bytes: Buffer, random: Random): Buffer {
  const parts = Array.from(bytes);
  for (let times = random.between(1, 8); times > 0; times -= 1) {
    const at = random.between(0, parts.length);
    const byte = random.chance(0.3)
      ? random.pick([0, 10, 13, 32, 58, 127, 255])
      : random.between(0, 255);
    const how = random.between(0, 4);
    if (how === 0) parts.splice(at, random.between(1, 20));
    else if (how === 1) parts.splice(at, 0, ...parts.slice(at, at + random.between(1, 40)));
    else if (how === 2) parts.splice(at, 0, byte);
    else if (how === 3) parts[at] = byte;
    else parts.length = at;
  }
  return Buffer.from(parts.filter((each) => each !== undefined));
}
