import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../src/oci/digest.ts';
import { waitFor } from '../support/wait-for.ts';
import { Puller } from './puller.ts';
import { Random } from '../support/random.ts';
import { footprint, type Footprint } from './sampler.ts';
import type { World } from './world.ts';

/** Milliseconds after the last fault in which every image can be pulled again. */
const recovery = 60_000;

/** Milliseconds in which what a storm has opened is closed again. */
const settling = 30_000;

/** Descriptors more than at the beginning: connections to the upstreams and to Redis. */
const spareDescriptors = 24;

/** Files that were being written when a process was killed: they are cleared away later. */
const leftoversOfKill = 10;

/** Bytes more than at the beginning: what a heap keeps after hard work. */
const spareMemory = 160 * 1024 * 1024;

/** Pulls every version of every image once, and each tag; how many pulls failed. */
export async function pullEverything(world: World): Promise<number> {
  const puller = new Puller(world, new Random(1), { whimsical: false });
  let failures = 0;
  for (const tag of world.content.tags) {
    const present = tag.named.slice(-1);
    const done = await Promise.all([
      puller.pullTag(tag, present),
      ...tag.versions.map(({ manifest }) => puller.pullDigest(tag, manifest.digest)),
    ]);
    failures += done.filter((isWhole) => !isWhole).length;
  }
  return failures;
}

/** What has to hold once the faults have stopped. */
export async function inspectCalm(world: World, before: Footprint): Promise<void> {
  // Tags may be as old as their time to live, and upstreams are left alone for a while yet.
  const began = performance.now();
  const recovered = new Puller(world, new Random(2), { whimsical: false });
  const waitForAll = async (): Promise<boolean> => {
    for (const tag of world.content.tags) if (!(await recovered.pullTag(tag))) return false;
    return (await pullEverything(world)) === 0;
  };
  try {
    await waitFor('every image to be pulled', waitForAll, recovery);
    world.tally.peak('peak of ms to recovery', Math.round(performance.now() - began));
  } catch (error) {
    world.found(String(error));
    return;
  }
  const failures = await pullEverything(world);
  if (failures > 0) world.found(`${String(failures)} pulls failed although all had been well`);
  await inspectDisk(world);
  await inspectFootprint(world, before);
}

/** Every committed file hashes to its name, and nothing half-done is left. */
export async function inspectDisk(world: World): Promise<void> {
  const root = join(world.disk.path, 'v1');
  const folder = join(root, 'blobs/sha256');
  for (const prefix of await readdir(folder)) {
    for (const name of await readdir(join(folder, prefix))) {
      const bytes = await readFile(join(folder, prefix, name)).catch(() => undefined);
      world.tally.add('committed files hashed');
      if (bytes !== undefined && digestOf(bytes) !== `sha256:${name}`) {
        world.found(`the committed file ${name} holds ${digestOf(bytes)}`);
      }
    }
  }
  const leftovers = { spool: 0, tmp: leftoversOfKill * world.tally.of('kills of Baleen') };
  for (const [rest, most] of Object.entries(leftovers)) {
    const names = async (): Promise<string[]> => readdir(join(root, rest));
    await waitFor(`${rest} to be empty`, async () => (await names()).length <= most).catch(
      async () => {
        const some = (await names()).slice(0, 3).join(', ');
        world.found(`${rest} still holds ${some} (${String((await names()).length)})`);
      },
    );
  }
}

/** Descriptors and memory come down to what they were, with some slack. */
async function inspectFootprint(world: World, before: Footprint): Promise<void> {
  world.client.close();
  const { pid } = world.baleen.process;
  try {
    await waitFor(
      'descriptors and memory to come down',
      () => {
        const { descriptors, resident } = footprint(pid);
        return (
          descriptors <= before.descriptors + spareDescriptors &&
          resident <= before.resident + spareMemory
        );
      },
      settling,
    );
  } catch {
    const now = footprint(pid);
    world.found(
      `holds ${JSON.stringify(now)} after the storm, ${JSON.stringify(before)} before it`,
    );
  }
  const after = footprint(pid);
  world.tally.peak('peak of descriptors after the calm', after.descriptors);
  world.tally.peak('peak of resident bytes after the calm', after.resident);
}
