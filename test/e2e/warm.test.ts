import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Baleen, hermeticEnvironment } from '../support/baleen.ts';
import { Child } from '../support/child.ts';
import { get, startGet } from '../support/http-get.ts';
import {
  artifactOf,
  imageOf,
  indexOf,
  layerOf,
  seededImage,
  type Image,
} from '../support/images.ts';
import { Random } from '../support/random.ts';
import { testResources } from '../support/resources.ts';
import { baleenBefore, dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(240_000);

const MiB = 1024 * 1024;

/** One of the documents that a run tells. */
type Event = Readonly<Record<string, unknown>>;

/** Has a running Baleen warm images; gives what it tells, to the end. */
async function warm(baleen: Baleen, parameters: object): Promise<Event[]> {
  const answer = await fetch(`${baleen.operationsUrl}/api/warm`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ platforms: ['linux/amd64'], ...parameters }),
  });
  return linesOf(await answer.text());
}

function linesOf(text: string): Event[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);
}

const references = (names: readonly string[]): { reference: string }[] =>
  names.map((reference) => ({ reference }));

const unique = (images: readonly Image[]) => [
  ...new Map(images.flatMap(({ blobs }) => blobs).map((blob) => [blob.digest, blob])).values(),
];

const bytesOf = (images: readonly Image[]): number =>
  unique(images).reduce((sum, { bytes }) => sum + bytes.length, 0);

/** Images that share a base, every second one another layer as well, each with one of its own. */
function family(count: number, size: number): Image[] {
  const base = layerOf(size, 1);
  const runtime = layerOf(size, 2);
  return Array.from({ length: count }, (_, nth) =>
    imageOf({ architecture: 'amd64', os: 'linux', nth }, [
      base,
      ...(nth % 2 === 0 ? [runtime] : []),
      layerOf(size / 4, nth + 3),
    ]),
  );
}

describe('warming', () => {
  const resources = testResources();
  let upstream: ScriptedUpstream;

  beforeEach(async () => {
    upstream = resources.use(await ScriptedUpstream.start());
  });
  const before = async (overrides = {}): Promise<Baleen> =>
    resources.use(await baleenBefore(upstream, overrides));

  it('fetches each blob of 20 images that share layers once, and nothing again', async () => {
    const images = family(20, MiB);
    images.forEach((image, nth) => upstream.add('blue/whale', `v${nth}`, image));
    const baleen = await before();
    const list = references(images.map((_, nth) => `blue/whale:v${nth}`));
    const told = await warm(baleen, { images: list, jobs: 8 });
    const blobs = unique(images);
    for (const { digest } of blobs) expect(upstream.count('blob-get', digest)).toBe(1);
    expect(upstream.count('blob-get')).toBe(blobs.length);
    expect(told.at(-1)).toMatchObject({
      kind: 'summary',
      images: 20,
      failed: 0,
      fetched_blobs: blobs.length,
      fetched_bytes: bytesOf(images),
    });
    upstream.forget();
    const again = await warm(baleen, { images: list });
    expect(again.at(-1)).toMatchObject({ failed: 0, fetched_blobs: 0, fetched_bytes: 0 });
    expect(upstream.total).toBe(0);
    expect(await baleen.metric('baleen_warm_runs_total', 'trigger="request"', 'done')).toBe(2);
    expect(await baleen.metric('baleen_warm_images_total', 'result="present"')).toBe(20);
    expect(await baleen.metric('baleen_warm_fetched_bytes_total')).toBe(bytesOf(images));
  });

  it('only asks whether tags have moved when that is due', async () => {
    const [image] = family(1, 1000);
    upstream.add('blue/whale', 'edge', image!);
    const baleen = await before();
    await warm(baleen, { images: references(['blue/whale:edge']) });
    upstream.forget();
    await warm(baleen, { images: references(['blue/whale:edge']) });
    expect(upstream.count('manifest-head')).toBe(1);
    expect(upstream.total).toBe(1);
  });

  it('goes on after a 429 when it may', async () => {
    const image = seededImage([100_000], 7);
    upstream.add('blue/whale', 'v1', image);
    const headers = { 'retry-after': '1' };
    upstream.fault({ on: 'blob-get', times: 1, instead: { status: 429, headers } });
    const baleen = await before();
    const told = await warm(baleen, { images: references(['blue/whale:v1']) });
    expect(told.at(-1)).toMatchObject({ failed: 0, fetched_blobs: 2 });
    expect(told).toContainEqual(
      expect.objectContaining({ kind: 'waiting', upstream: 'docker.io', reason: 'rate-limit' }),
    );
  });

  it('shares a download with clients that pull the image meanwhile, and serves what it brought', async () => {
    const image = seededImage([4 * MiB], 7);
    const layer = image.blobs[1]!;
    upstream.add('blue/whale', 'v1', image);
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
    upstream.fault({
      on: 'blob-get',
      when: ({ url }) => url.includes(layer.digest),
      times: 1,
      holdAt: { bytes: MiB, until },
    });
    const baleen = await before({ timeouts: { idle: '1m' } });
    const warming = warm(baleen, { images: references(['blue/whale:v1']) });
    await waitFor('the layer to be on its way', () => upstream.count('blob-get', layer.digest) > 0);
    const client = startGet(`${baleen.url}/v2/blue/whale/blobs/${layer.digest}`);
    await waitFor('the client to have some of it', () => client.received() > 0);
    goOn();
    expect((await client.outcome).digest).toBe(layer.digest);
    expect((await warming).at(-1)).toMatchObject({ failed: 0 });
    expect(upstream.count('blob-get', layer.digest)).toBe(1);
    await upstream.stop();
    expect((await get(`${baleen.url}/v2/blue/whale/manifests/v1`)).digest).toBe(
      image.manifest.digest,
    );
  });

  it('ends when the one who asked for it leaves, or the service does', async () => {
    const image = seededImage([4 * MiB], 7);
    upstream.add('blue/whale', 'v1', image);
    upstream.fault({ on: 'blob-get', holdAt: { bytes: MiB } });
    const baleen = await before({ timeouts: { idle: '1m' } });
    const leaving = new AbortController();
    const ask = (signal?: AbortSignal): Promise<unknown> =>
      fetch(`${baleen.operationsUrl}/api/warm`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ images: references(['blue/whale:v1']) }),
        ...(signal && { signal }),
      })
        .then((answer) => answer.text())
        .catch(() => undefined);
    const first = ask(leaving.signal);
    const isUnderWay = async (): Promise<boolean> =>
      (await baleen.metric('baleen_downloads_in_flight')) > 0;
    await waitFor('the layer to be on its way', isUnderWay);
    leaving.abort();
    await first;
    await waitFor('nothing to be under way', async () => !(await isUnderWay()));
    expect(await baleen.metric('baleen_warm_runs_total', 'broken-off')).toBe(1);
    const second = ask();
    await waitFor('the layer to be on its way again', isUnderWay);
    expect(await baleen.stop()).toEqual({ code: 0, signal: null });
    expect(await second).toContain('warming was broken off');
  });

  it('is done by the command itself where no service runs, and refused where one is out of reach', async () => {
    const index = indexOf({ amd64: seededImage([1000], 1), arm64: seededImage([2000], 2) });
    upstream.add('blue/whale', 'v1', index);
    const settings = dockerHubScripted(upstream);
    const baleen = resources.use(await Baleen.prepare(settings));
    const args = ['warm', 'blue/whale:v1', '--platform', 'all', '--json'];
    const direct = await baleen.command(...args);
    expect([direct.code, linesOf(direct.stdout).at(-1)]).toMatchObject([0, { fetched_blobs: 4 }]);
    upstream.forget();
    await baleen.start();
    const served = await baleen.command(...args);
    expect(linesOf(served.stdout).at(-1)).toMatchObject({ failed: 0, fetched_blobs: 0 });
    expect(upstream.total).toBe(0);
    await baleen.stop();
    // The lock is what tells the command that somebody is there.
    const hidden = resources.use(await Baleen.prepare({ ...settings }));
    hidden.configure({
      operations: { listen: 'off' },
      storage: { directory: baleen.dataDirectory },
    });
    await hidden.start();
    const refused = await baleen.command(...args);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('set operations.listen, or stop it');
  });

  it('brings all that an offline Baleen needs: platforms, signatures and SBOMs', async () => {
    const amd64 = seededImage([1000], 1);
    const index = indexOf({ amd64, arm64: seededImage([2000], 2) });
    const sbom = artifactOf(amd64.manifest, 'application/spdx+json', 'bill of materials');
    const signature = artifactOf(sbom.manifest, 'application/vnd.example.signature', 'signed');
    upstream.add('blue/whale', 'v1', index);
    for (const each of [sbom, signature]) upstream.add('blue/whale', undefined, each);
    const settings = dockerHubScripted(upstream);
    const baleen = resources.use(await Baleen.prepare(settings));
    const warmed = await baleen.command(
      'warm',
      'blue/whale:v1',
      '--platform',
      'all',
      '--referrers',
      '--json',
    );
    expect(linesOf(warmed.stdout).at(-1)).toMatchObject({ failed: 0 });
    upstream.forget();
    baleen.configure({ offline: true });
    await baleen.start();
    const repository = `${baleen.url}/v2/blue/whale`;
    const manifests = [...index.children, index.manifest, sbom.manifest, signature.manifest];
    for (const { digest } of manifests) {
      expect((await get(`${repository}/manifests/${digest}`)).digest).toBe(digest);
    }
    for (const { digest } of unique([index, sbom, signature])) {
      expect((await get(`${repository}/blobs/${digest}`)).digest).toBe(digest);
    }
    expect((await get(`${repository}/manifests/v1`)).digest).toBe(index.manifest.digest);
    const referrersOf = async (digest: string): Promise<unknown> =>
      (await fetch(`${repository}/referrers/${digest}`)).json();
    expect(await referrersOf(amd64.manifest.digest)).toMatchObject({
      manifests: [{ digest: sbom.manifest.digest }],
    });
    expect(await referrersOf(sbom.manifest.digest)).toMatchObject({
      manifests: [{ digest: signature.manifest.digest }],
    });
    // Looked over again, it lacks nothing; what was never warmed says so.
    const list = ['blue/whale:v1', 'blue/whale:v2', '--platform', 'all', '--referrers', '--json'];
    const again = await baleen.command('warm', ...list);
    const results = linesOf(again.stdout).filter(({ kind }) => kind === 'image');
    const byImage = results.map(({ image, result, code }) => [image, code ?? result]);
    expect(Object.fromEntries(byImage)).toEqual({
      'docker.io/blue/whale:v1': 'present',
      'docker.io/blue/whale:v2': 'UPSTREAM_OFFLINE',
    });
    expect(upstream.total).toBe(0);
  });

  describe('killed again and again', () => {
    const kills = 20;
    const images = family(8, 8 * MiB);
    const list = images.map((_, nth) => `blue/whale:v${nth}`);

    it('goes on where it was each time, serves nothing wrong, and is complete in the end', async () => {
      images.forEach((image, nth) => upstream.add('blue/whale', `v${nth}`, image));
      upstream.options.rate = 4 * MiB;
      const baleen = resources.use(await Baleen.prepare(dockerHubScripted(upstream)));
      // It writes the configuration, too.
      expect((await baleen.command('config', 'check')).code).toBe(0);
      const random = new Random(20);
      const sent = (): number =>
        upstream.requests('blob-get').reduce((sum, request) => sum + request.sent, 0);
      let left = await leftBy(baleen);
      for (let kill = 0; kill < kills; kill++) {
        // Now and then before it has begun.
        const enough = random.chance(0.2) ? 0 : random.next() * 1.2 * MiB;
        const child = kill % 2 === 0 ? await startServing(baleen) : startCommand(baleen);
        await child.until('fetches', () => sent() >= enough, 60_000);
        await child.kill();
        expectNothingAgain(left);
        left = await leftBy(baleen);
        upstream.forget();
      }
      delete upstream.options.rate;
      const { code, stdout } = await baleen.command('warm', ...list, '--json');
      expect([code, linesOf(stdout).at(-1)]).toMatchObject([0, { images: 8, failed: 0 }]);
      expectNothingAgain(left);
      expect((await baleen.command('verify')).stdout).toContain('All is well');
      await upstream.stop();
      await baleen.start();
      for (const { digest } of unique(images)) {
        const blob = await get(`${baleen.url}/v2/blue/whale/blobs/${digest}`);
        expect([blob.complete, blob.digest]).toEqual([true, digest]);
      }
    });

    /** Every blob was asked for from the byte on that the process before it had not written. */
    const expectNothingAgain = ({ stored, spooled }: Left): void => {
      for (const { digest } of unique(images)) {
        const [first] = upstream.requests('blob-get', digest);
        if (first === undefined) continue;
        expect([digest, stored.has(digest)]).toEqual([digest, false]);
        const from = spooled.get(digest) ?? 0;
        expect([digest, first.headers.range]).toEqual([
          digest,
          from === 0 ? undefined : `bytes=${from}-`,
        ]);
      }
    };

    /** A service that is asked to warm them. */
    const startServing = async (baleen: Baleen): Promise<Child> => {
      await baleen.start();
      void warm(baleen, { images: references(list) }).catch(() => undefined);
      return baleen.process;
    };

    /** The command, with no service. */
    const startCommand = (baleen: Baleen): Child => {
      const main = join(import.meta.dirname, '../../src/main.ts');
      const args = [main, 'warm', ...list, '--config', baleen.configFile];
      return resources.use(new Child(process.execPath, args, { env: hermeticEnvironment() }));
    };
  });
});

/** What a process that was killed has left behind. */
interface Left {
  /** Digests of blobs. */
  readonly stored: ReadonlySet<string>;
  /** Bytes, by digest. */
  readonly spooled: ReadonlyMap<string, number>;
}

/** Looks what there is, and that every file under a digest's name has that digest. */
async function leftBy(baleen: Baleen): Promise<Left> {
  const stored = new Set<string>();
  const folder = join(baleen.dataDirectory, 'v1');
  for (const path of await filesIn(join(folder, 'blobs/sha256'))) {
    const hex = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    expect(basename(path)).toBe(hex);
    stored.add(`sha256:${hex}`);
  }
  const spools = (await filesIn(join(folder, 'spool'))).filter((path) => path.endsWith('/data'));
  const sizes = spools.map(async (path): Promise<[string, number]> => {
    return [basename(dirname(path)).replace('-', ':'), (await stat(path)).size];
  });
  return { stored, spooled: new Map(await Promise.all(sizes)) };
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((each) => each.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}
