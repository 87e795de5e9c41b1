import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { BundleGraph } from '../bundle/bundle-graph.ts';
import type { BundleIndex } from '../bundle/bundle-index.ts';
import type { AssertRoom } from '../bundle/stage-bundle.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { PinRecord } from '../catalog/pin-record.ts';
import type { Config } from '../config/config.ts';
import { describeByteSize } from '../lib/byte-size.ts';
import { isMissing } from '../lib/atomic-file.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { placeOf } from '../registry/image-place.ts';
import { pinnedDigests } from '../registry/pinned.ts';
import { placeNames } from './place-names.ts';

/** What looks at the room that is needed has to read. */
export interface RoomSource {
  readonly catalog: Catalog;
  readonly read: (digest: Digest, limit: number) => Promise<Buffer | undefined>;
  /** Bytes of a blob that is cached. */
  readonly sizeOf: (digest: Digest) => Promise<number | undefined>;
}

/** Bytes that are left to others on the disk. */
const reserve = 64 * 1024 * 1024;

/**
 * Sees to it that there is room for what is imported before it is read, on the disk and within
 * `storage.max_size`, where what is pinned stays. What is not has to fit below the low watermark: down to
 * there room is made once the high one is reached.
 * @param source undefined where nothing is stored yet
 * @param isPinned whether what is imported will be pinned
 */
export function createAssertRoom(
  config: Config,
  source: RoomSource | undefined,
  isPinned: boolean,
): AssertRoom {
  return async (index, graph, bytes) => {
    await assertDiskRoom(config, bytes);
    const { max_size, low_watermark, directory } = config.storage;
    if (max_size === undefined) return;
    const wanted = cachedBy(config, index, graph);
    let needed = [...wanted.values()].reduce((sum, size) => sum + size, 0);
    if (source !== undefined) {
      const pins = new PinRecord(`${directory}/v1`);
      for (const digest of await pinnedDigests(pins, source.catalog, source)) {
        if (!wanted.has(digest)) needed += (await source.sizeOf(digest)) ?? 0;
      }
    }
    const limit = isPinned ? max_size : Math.floor(max_size * low_watermark);
    if (needed <= limit) return;
    const [need, most, size] = [needed, limit, max_size].map(describeByteSize);
    throw noRoom(
      `with what is pinned it needs ${need}, and storage.max_size is ${size}${
        isPinned ? '' : `, of which without --pin no more than ${most} are sure to stay`
      }`,
    );
  };
}

/** @throws RegistryError UNAVAILABLE where the disk has no room for so many more bytes */
export async function assertDiskRoom(
  { storage }: Pick<Config, 'storage'>,
  bytes: number,
): Promise<void> {
  const free = await freeBytes(storage.directory);
  if (free === undefined || bytes === 0 || bytes + reserve <= free) return;
  throw noRoom(
    `${describeByteSize(bytes)} are to be written, and the disk has ${describeByteSize(free)} left`,
  );
}

/** All that is to be cached, with its bytes: what was pushed does not count. */
function cachedBy(config: Config, index: BundleIndex, graph: BundleGraph): Map<Digest, number> {
  const names = placeNames(config);
  const roots = [
    ...index.images.map(({ name, digest }) => [parseImageReference(name).name, digest] as const),
    ...index.referrers.map(({ repository, digest }) => [repository, digest] as const),
  ];
  const cached = roots.filter(([repository]) => placeOf(repository, names).part === 'cached');
  const { manifests, blobs } = graph.closureOf(new Set(cached.map(([, root]) => root)));
  return new Map([...manifests, ...blobs].map(({ digest, size }) => [digest, size]));
}

/** Undefined where nobody can tell. */
async function freeBytes(directory: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  } catch (error) {
    // It is made when something is written.
    const parent = dirname(directory);
    return isMissing(error) && parent !== directory ? freeBytes(parent) : undefined;
  }
}

function noRoom(message: string): RegistryError {
  return new RegistryError('UNAVAILABLE', `there is no room for it: ${message}`);
}
