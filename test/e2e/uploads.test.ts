import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Layout } from '../../src/store/layout.ts';
import { Baleen } from '../support/baleen.ts';
import { describeWith } from '../support/describe-with.ts';
import { get } from '../support/http-get.ts';
import { open, send } from '../support/http-send.ts';
import { layerOf, type Content } from '../support/images.ts';
import { suiteResources, testResources } from '../support/resources.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { flipBit } from '../support/stored.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

const MiB = 1024 * 1024;
const hosted = { repositories: ['local/**'] };
const path = '/v2/local/app/blobs';

/** Begins an upload; gives its path. */
async function begin({ url }: Baleen): Promise<string> {
  const { status, headers } = await send('POST', `${url}${path}/uploads/`);
  expect(status).toBe(202);
  return String(headers.location);
}

async function pushed(baleen: Baleen, blob: Content): Promise<number> {
  const url = `${baleen.url}${path}/uploads/?digest=${blob.digest}`;
  return (await send('POST', url, { body: blob.bytes })).status;
}

const pull = (baleen: Baleen, blob: Content) => get(`${baleen.url}${path}/${blob.digest}`);

const placeOf = (baleen: Baleen, { digest }: Content): string =>
  new Layout(baleen.dataDirectory, 'hosted').blob(digest);

describe('an upload', () => {
  const resources = suiteResources();
  let baleen: Baleen;
  beforeAll(async () => {
    baleen = resources.use(await Baleen.start({ hosted, storage: { scrub: { interval: 'off' } } }));
  });

  it('goes on after Baleen was killed in the middle of it, and again', async () => {
    const blob = layerOf(24 * MiB, 1);
    const location = await begin(baleen);
    let at = 0;
    for (let death = 0; death < 3; death++) {
      const broken = open('PATCH', `${baleen.url}${location}`, {
        'content-length': blob.bytes.length - at,
        'content-range': `${at}-${blob.bytes.length - 1}`,
      });
      broken.on('error', () => undefined);
      broken.write(blob.bytes.subarray(at, at + 6 * MiB));
      const before = at;
      await waitFor('some of it to be there', async () => {
        return (await baleen.metric('baleen_hosted_upload_bytes')) > before;
      });
      await baleen.kill();
      await baleen.start();
      const { status, headers } = await send('GET', `${baleen.url}${location}`);
      expect(status).toBe(204);
      at = Number(String(headers.range).slice(2)) + 1;
      expect(at).toBeGreaterThan(before);
    }
    const last = await send('PUT', `${baleen.url}${location}?digest=${blob.digest}`, {
      body: blob.bytes.subarray(at),
      headers: { 'content-range': `${at}-${blob.bytes.length - 1}` },
    });
    expect(last.status).toBe(201);
    await baleen.kill();
    await baleen.start();
    expect((await pull(baleen, blob)).digest).toBe(blob.digest);
    expect(await readdir(join(baleen.dataDirectory, 'v1/hosted/uploads'))).toEqual([]);
  });

  it('is logged and counted with the bytes that came', async () => {
    const blob = layerOf(100_000, 2);
    const before = await baleen.metric('baleen_hosted_received_bytes_total');
    expect(await pushed(baleen, blob)).toBe(201);
    expect((await baleen.metric('baleen_hosted_received_bytes_total')) - before).toBe(100_000);
    expect(await baleen.metric('baleen_hosted_uploads_total', 'finished')).toBeGreaterThan(0);
    await waitFor('the log', () => baleen.process.stdout.includes('"received":100000'));
  });

  it('shows in the figures while it is open, and so does what was pushed', async () => {
    const { blobs = NaN } = await stats(baleen);
    await pushed(baleen, layerOf(50_000, 3));
    const location = await begin(baleen);
    await send('PATCH', `${baleen.url}${location}`, { body: Buffer.alloc(1234) });
    const running = await stats(baleen);
    expect(running).toMatchObject({ blobs: blobs + 1, uploads: 1, upload_bytes: 1234 });
    await baleen.stop();
    expect(await stats(baleen)).toEqual({ ...running, counted: true });
    const { stdout } = await baleen.command('stats');
    expect(stdout).toMatch(/^pushed +1 repositories, \d+ blobs, /m);
    expect(stdout).toMatch(/^uploads +1 open, /m);
    await baleen.start();
    expect((await send('DELETE', `${baleen.url}${location}`)).status).toBe(204);
  });

  it('of a large blob costs little memory, at whatever speed it comes', async () => {
    const part = layerOf(8 * MiB, 4).bytes;
    const location = await begin(baleen);
    for (let round = 0; round < 4; round++) {
      const parts = Array.from({ length: 8 }, () => part);
      await send('PATCH', `${baleen.url}${location}`, { body: parts });
    }
    expect(await baleen.metric('process_resident_memory_bytes')).toBeLessThan(200 * MiB);
    await send('DELETE', `${baleen.url}${location}`);
  });
});

describe('a pushed blob whose bit has turned over', () => {
  it.each(['verify', 'scrub'])(
    'is found by %s, told loudly, and right when pushed again',
    async (way) => {
      const scrub = way === 'scrub' ? { interval: '1s', rate: '100MiB' } : { interval: 'off' };
      // A limit is for what can be fetched again.
      const storage = { scrub, quarantine_size: 0 };
      await using baleen = await Baleen.start({ hosted, storage });
      const blob = layerOf(300_000, 5);
      await pushed(baleen, blob);
      await flipBit(placeOf(baleen, blob));
      if (way === 'verify') {
        const told = await baleen.command('verify');
        expect([told.code, told.stdout]).toEqual([
          1,
          expect.stringContaining('wrong: hosted/blobs/'),
        ]);
        const { stdout } = await baleen.command('verify', '--repair');
        expect(stdout).toContain('there is no other copy here: push it again');
        expect((await baleen.command('verify')).code).toBe(0);
      }
      await waitFor('it to be gone', async () => (await pull(baleen, blob)).status === 404);
      await waitFor('the log', () => baleen.process.stdout.includes('there is no other copy'));
      expect(await readdir(join(baleen.dataDirectory, 'v1/hosted/quarantine'))).toHaveLength(1);
      expect(await pushed(baleen, blob)).toBe(201);
      expect((await pull(baleen, blob)).digest).toBe(blob.digest);
      if (way === 'scrub') {
        await waitFor('a whole pass', async () => {
          return (await baleen.metric('baleen_hosted_scrub_last_pass_timestamp_seconds')) > 0;
        });
      }
    },
  );

  it('is found while the service is down, too, and only looked at beside one out of reach', async () => {
    const storage = { scrub: { interval: 'off' }, quarantine_size: 0 };
    await using baleen = await Baleen.start({ hosted, storage });
    const blob = layerOf(300_000, 6);
    await pushed(baleen, blob);
    await flipBit(placeOf(baleen, blob));
    // It cannot be told to take care.
    baleen.configure({ operations: { listen: 'off' } });
    const beside = await baleen.command('verify', '--repair');
    expect([beside.code, beside.stderr]).toEqual([1, expect.stringContaining('only looked at')]);
    expect((await pull(baleen, blob)).status).toBe(200);
    await baleen.stop();
    const { code, stdout } = await baleen.command('verify', '--json');
    expect([code, stdout]).toEqual([1, expect.stringContaining('"step":"hosted blobs"')]);
    await baleen.command('verify', '--repair');
    expect(await readdir(join(baleen.dataDirectory, 'v1/hosted/quarantine'))).toHaveLength(1);
  });
});

await describeWith(
  'a full disk',
  [],
  () => {
    const resources = testResources();

    it('is told to whoever pushes, leaves nothing behind, and is none as soon as there is room', async () => {
      const disk = resources.use(new SmallDisk(24));
      const storage = { directory: join(disk.path, 'data') };
      const baleen = resources.use(await Baleen.start({ hosted, storage }));
      const kept = layerOf(4 * MiB, 7);
      expect(await pushed(baleen, kept)).toBe(201);
      const large = layerOf(40 * MiB, 8);
      const refused = await send('POST', `${baleen.url}${path}/uploads/?digest=${large.digest}`, {
        body: large.bytes,
      });
      expect([refused.status, refused.code]).toEqual([503, 'UNAVAILABLE']);
      expect(refused.body.toString()).toContain('the disk is full');
      const { checks } = (await (await fetch(`${baleen.operationsUrl}/readyz`)).json()) as {
        checks: { storage: string };
      };
      expect(checks.storage).toBe('degraded');
      expect(await readdir(join(storage.directory, 'v1/hosted/uploads'))).toEqual([]);
      expect(await baleen.metric('baleen_hosted_uploads_total', 'disk')).toBe(1);
      // Nothing that was pushed went for it, and what fits is taken at once.
      expect((await pull(baleen, kept)).digest).toBe(kept.digest);
      const small = layerOf(4 * MiB, 9);
      expect(await pushed(baleen, small)).toBe(201);
      expect((await pull(baleen, small)).digest).toBe(small.digest);
    });
  },
  { root: true },
);

async function stats(baleen: Baleen): Promise<Record<string, number>> {
  const { stdout } = await baleen.command('stats', '--json');
  return (JSON.parse(stdout) as { hosted: Record<string, number> }).hosted;
}
