import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { openArchive } from '../../src/bundle/open-archive.ts';
import {
  readArchive,
  type ArchiveRead,
  type ReadArchiveOptions,
} from '../../src/bundle/read-archive.ts';
import { trustsAll } from '../../src/bundle/trust.ts';
import { StreamSource } from '../../src/lib/byte-source.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { placeOf } from '../../src/registry/image-place.ts';

/** Names as most tests have them: Docker Hub and ghcr.io, and what is hosted under `local/`. */
export const somePlaces: ReadArchiveOptions['placeOf'] = (repository) =>
  placeOf(repository, {
    upstreams: new Map([
      ['docker.io', 'docker.io'],
      ['ghcr.io', 'ghcr.io'],
    ]),
    defaultUpstream: 'docker.io',
    isHosted: (name) => name.startsWith('local/'),
  });

/** Reads an archive into a folder, as `baleen import` does. */
export async function readInto(
  root: string,
  bytes: Buffer | Iterable<Buffer>,
  options: Partial<ReadArchiveOptions> = {},
): Promise<ArchiveRead> {
  const chunks = bytes instanceof Buffer ? chunksOf(bytes) : bytes;
  const source = new StreamSource(Readable.from(chunks, { objectMode: false }));
  const archive = await openArchive(source);
  try {
    return await readArchive({
      root,
      archive,
      trust: trustsAll,
      name: undefined,
      isDryRun: false,
      placeOf: somePlaces,
      isStored: () => Promise.resolve(false),
      assertRoom: () => Promise.resolve(),
      assertDiskRoom: () => Promise.resolve(),
      onBytes: () => undefined,
      onIndex: () => undefined,
      ...options,
    });
  } finally {
    await archive.close();
  }
}

/** Every file below a folder with the digest of its bytes, and every folder. */
export async function treeOf(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const lines = names.toSorted().map(async (name) => {
    const path = join(folder, name);
    return (await stat(path)).isFile() ? `${name} ${digestOf(await readFile(path))}` : `${name}/`;
  });
  return Promise.all(lines);
}

/** In pieces that end anywhere. */
function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_521) yield bytes.subarray(at, at + 65_521);
}
