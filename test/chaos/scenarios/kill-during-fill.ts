import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../../src/oci/digest.ts';
import type { Baleen } from '../../support/baleen.ts';
import { get, startGet } from '../../support/http-get.ts';
import { layerOf, seededImage } from '../../support/images.ts';
import { Random } from '../../support/random.ts';
import { baleenBefore } from '../../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../../support/scripted-upstream.ts';
import { waitFor } from '../../support/wait-for.ts';
import { expectThat, MiB, type Figures, type Size } from './scenario.ts';

/** Bytes that the kernel takes from the upstream before Baleen reads them, on a busy machine. */
const chunk = 8 * MiB;

/**
 * SIGKILL at a random moment of a fill, again and again: after the restart the fill goes on where
 * it was, and nothing wrong is on disk.
 */
export async function killDuringFill(size: Size, seed: number): Promise<Figures> {
  const rounds = size === 'full' ? 50 : 3;
  const length = (size === 'full' ? 256 : 16) * MiB;
  const random = new Random(seed);
  await using resources = new AsyncDisposableStack();
  // Slow enough that the moment is a random one; Baleen keeps up with it on a busy machine, too.
  const upstream = resources.use(await ScriptedUpstream.start({ rate: length / 1.5 }));
  upstream.add('blue/whale', 'v1', seededImage([1_000], 1));
  const timeouts = { idle: '30s', headers: '30s' };
  const baleen = resources.use(await baleenBefore(upstream, { timeouts }));
  const refetched: number[] = [];
  const inspected = new Set<string>();
  for (let round = 0; round < rounds; round += 1) {
    const blob = layerOf(length, seed * 1_000 + round);
    const held = upstream.repositories.get('blue/whale');
    held?.blobs.set(blob.digest, blob);
    upstream.forget();
    const url = `${baleen.url}/v2/blue/whale/blobs/${blob.digest}`;

    const client = startGet(url);
    const moment = Math.floor(random.next() * length);
    const sent = (): number =>
      upstream.requests('blob-get').reduce((sum, each) => sum + each.sent, 0);
    await waitFor('the moment', () => sent() >= moment, 30_000);
    await baleen.kill();
    expectThat(
      !(await client.outcome).complete || moment + MiB > length,
      'a killed server was heard to the end',
    );
    await inspect(baleen, inspected);
    const spool = join(baleen.dataDirectory, 'v1/spool', blob.digest.replace(':', '-'), 'data');
    const spooled = await stat(spool).then(
      (found) => found.size,
      () => 0,
    );

    await baleen.start();
    const again = await get(url);
    expectThat(
      again.complete && again.digest === blob.digest,
      'wrong after the restart',
      again.status,
    );
    // What was on disk is not asked for again, to the byte.
    const ranges = upstream.requests('blob-get').map(({ headers }) => headers.range);
    const resumed =
      spooled === 0 || spooled === length || ranges.includes(`bytes=${String(spooled)}-`);
    expectThat(resumed, 'it did not go on where it was', { spooled, ranges });
    const twice = sent() - length;
    expectThat(twice <= length * 0.05 + chunk, 'too much was fetched twice', {
      round,
      moment,
      twice,
    });
    refetched.push(twice);
    held?.blobs.delete(blob.digest);
  }
  // The last client had all of it a moment before it was committed.
  const spools = join(baleen.dataDirectory, 'v1/spool');
  await waitFor('the spool to be empty', async () => (await readdir(spools)).length === 0);
  const files = await inspect(baleen, new Set());
  expectThat(files === rounds, 'some blobs were not committed', files);
  return {
    'kills during a fill': rounds,
    'bytes of each blob': length,
    'most bytes fetched twice': Math.max(...refetched),
    'bytes fetched twice on average': Math.round(
      refetched.reduce((sum, each) => sum + each, 0) / rounds,
    ),
    'committed files, all right': files,
  };
}

/** Every committed file hashes to its name, but for those that were found right before; how many there are. */
async function inspect(baleen: Baleen, inspected: Set<string>): Promise<number> {
  const root = join(baleen.dataDirectory, 'v1/blobs/sha256');
  let files = 0;
  for (const prefix of await readdir(root).catch(() => [])) {
    for (const name of await readdir(join(root, prefix))) {
      files += 1;
      if (inspected.has(name)) continue;
      const digest = digestOf(await readFile(join(root, prefix, name)));
      expectThat(digest === `sha256:${name}`, 'a committed file is wrong', { name, digest });
      inspected.add(name);
    }
  }
  return files;
}
