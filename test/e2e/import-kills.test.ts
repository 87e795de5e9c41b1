import { readdirSync, statSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, jest } from '@jest/globals';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { Layout } from '../../src/store/layout.ts';
import { Baleen, hermeticEnvironment } from '../support/baleen.ts';
import { bundleOf, type NamedImage } from '../support/bundle.ts';
import { Child } from '../support/child.ts';
import { imageOf, indexOf, layerOf } from '../support/images.ts';
import { Random } from '../support/random.ts';

jest.setTimeout(300_000);

const main = join(import.meta.dirname, '../../src/main.ts');
const settings = { offline: true, hosted: { repositories: ['local/**'] } };
const base = layerOf(1_500_000, 1);

/** Ten images that share a layer, the last two of them hosted. */
const images: readonly NamedImage[] = Array.from({ length: 10 }, (_, at) => ({
  name: at < 8 ? `docker.io/library/krill${at}:1` : `local/krill${at}:1`,
  image: indexOf({
    amd64: imageOf({ architecture: 'amd64', at }, [base, layerOf(400_000, 10 * at + 2)]),
    arm64: imageOf({ architecture: 'arm64', at }, [base, layerOf(300_000, 10 * at + 3)]),
  }),
}));

/** In each of the two ways; together twenty. */
const mostKills = 10;

const parts = ['cached', 'hosted'] as const;

/** Every file below a folder. */
function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}

/** What has its place for good: staged blobs, stored ones, and files of the record. */
function settledIn(data: string): string[] {
  return filesIn(join(data, 'v1')).filter(
    (path) => !/growing-|(v1|hosted)\/tmp\/|lock|in-use/.test(path),
  );
}

/**
 * Blobs by their digest, wherever they lie, with the number of their file. A service that brings an
 * import to its end may move one past the first look: then it is where the second finds it.
 */
function inodesIn(data: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const path of [...settledIn(data), ...settledIn(data)]) {
    const hex = /(?:sha256-|sha256\/..\/)([0-9a-f]{64})$/.exec(path)?.[1];
    const file = hex === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
    // Manifests are small, and put in anew.
    if (hex !== undefined && file !== undefined && file.size >= 300_000) found.set(hex, file.ino);
  }
  return found;
}

/** Whatever can be pulled by its tag is whole, and nothing that is stored is wrong. */
async function assertNothingHalf(data: string): Promise<number> {
  let visible = 0;
  for (const part of parts) {
    const layout = new Layout(data, part);
    for (const path of filesIn(layout.blobs)) {
      expect([path, digestOf(await readFile(path)).slice(7)]).toEqual([
        path,
        path.split('/').at(-1),
      ]);
    }
    for (const path of filesIn(layout.repositories).filter((each) => each.includes('/_tags/'))) {
      const { digest } = JSON.parse(await readFile(path, 'utf8')) as { digest: Digest };
      const found = images.find(({ image }) => image.manifest.digest === digest);
      const { manifest, children = [], blobs = [] } = found?.image ?? {};
      for (const each of [manifest, ...children, ...blobs]) {
        const size = statSync(layout.blob(each?.digest ?? digest)).size;
        expect([each?.digest, size]).toEqual([each?.digest, each?.bytes.length]);
      }
      visible++;
    }
  }
  return visible;
}

/** Kills a process as soon as so many files have their place, where it does not end before. */
async function killAt(
  count: number,
  data: string,
  child: Child,
  victim: { kill(): Promise<unknown> },
): Promise<boolean> {
  while (child.exit === undefined) {
    if (settledIn(data).length >= count) {
      await victim.kill();
      return true;
    }
    await delay(1);
  }
  return false;
}

/** Kills at moments that a seed chooses, while files find their place; then an import to the end. */
async function survive(
  baleen: Baleen,
  seed: number,
  killOf: (round: number, child: Child) => { kill(): Promise<unknown> },
  revive: () => Promise<void>,
  renew: () => Promise<void>,
): Promise<void> {
  const random = new Random(seed);
  const data = baleen.dataDirectory;
  await baleen.command('config', 'check');
  const bundle = join(data, '..', 'bundle.tar');
  await writeFile(bundle, bundleOf(images));
  const first = new Map<string, number>();
  let kills = 0;
  let count = 1;
  for (let round = 0; kills < mostKills; round++) {
    const child = new Child(
      process.execPath,
      [main, 'import', bundle, '--config', baleen.configFile],
      { env: hermeticEnvironment() },
    );
    const isKilled = await killAt(count, data, child, killOf(round, child));
    await child.exited;
    kills += isKilled ? 1 : 0;
    count = isKilled
      ? settledIn(data).length + 1 + random.between(0, 11)
      : 1 + random.between(0, 59);
    await assertNothingHalf(data);
    for (const [hex, inode] of inodesIn(data)) {
      const known = first.get(hex);
      // What was whole once was neither written again nor lost.
      if (known === undefined) first.set(hex, inode);
      else expect([hex, inode]).toEqual([hex, known]);
    }
    for (const hex of first.keys()) expect(inodesIn(data).has(hex)).toBe(true);
    await revive();
    if (isKilled) continue;
    // It was quicker: again from the beginning.
    expect([child.exit?.code, child.stderr]).toEqual([0, '']);
    first.clear();
    await renew();
  }
  const last = await baleen.command('import', bundle);
  expect([last.code, last.stderr]).toEqual([0, '']);
  expect(await assertNothingHalf(data)).toBe(images.length);
  expect(filesIn(join(data, 'v1/imports'))).toEqual([]);
  expect((await baleen.command('verify')).code).toBe(0);
}

it('completes after ten kills at any moment of staging and adopting, without a service', async () => {
  await using baleen = await Baleen.prepare(settings);
  const nothing = (): Promise<void> => Promise.resolve();
  const renew = (): Promise<void> => rm(baleen.dataDirectory, { recursive: true });
  await survive(baleen, 1, (_round, child) => child, nothing, renew);
});

it('completes after ten kills of the command or of the service that it works through', async () => {
  await using baleen = await Baleen.start(settings);
  const revive = async (): Promise<void> => {
    if (baleen.process.exit !== undefined) await baleen.start();
  };
  const renew = async (): Promise<void> => {
    await baleen.stop();
    await rm(baleen.dataDirectory, { recursive: true });
    await baleen.start();
  };
  await survive(baleen, 2, (round, child) => (round % 2 === 0 ? child : baleen), revive, renew);
});
