import type { TarEntry, TarReader } from '../lib/tar-reader.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { maxManifestSize } from '../oci/manifest.ts';
import { BundleGraph, nodeOf, type BundledNode } from './bundle-graph.ts';
import {
  maxLayoutIndexSize,
  parseBundleIndex,
  type BundledContent,
  type BundleIndex,
} from './bundle-index.ts';
import { bundleFiles } from './bundle-layout.ts';
import { maxSignatureSize } from './bundle-signature.ts';
import { invalidBundle, quoted } from './faults.ts';
import { passOver, takeSmall, type IsStored, type OnBytes, type Staging } from './staging.ts';
import { judge, type Trust } from './trust.ts';

/** The front of a bundle: all that there is to know of it before its content. */
export interface BundleFront {
  readonly index: BundleIndex;
  readonly digests: Buffer;
  readonly signature: Buffer | undefined;
  /** The id of the key that has signed it, where that is known here. */
  readonly signedBy: string | undefined;
  /** The entry behind it. */
  readonly next: TarEntry | undefined;
}

/** Bytes of all manifests of a bundle: what they name is kept in memory. */
const maxManifests = 256 * 1024 * 1024;

/**
 * Reads the front, from `baleen.json` on, whose entry was read last; nothing in it is believed before
 * its signature.
 * @throws RegistryError BUNDLE_UNTRUSTED, MANIFEST_INVALID; TarFault
 */
export async function readFront(
  reader: TarReader,
  limit: number,
  trust: Trust,
): Promise<BundleFront> {
  const digests = await reader.whole(limit);
  let next = await reader.next();
  let signature: Buffer | undefined;
  if (next?.name === bundleFiles.signature) {
    assertFile(next);
    signature = await reader.whole(maxSignatureSize);
    next = await reader.next();
  }
  const signedBy = judge(trust, digests, signature);
  return { index: parseBundleIndex(digests), digests, signature, signedBy, next };
}

/**
 * Fails where there is no room for what images consist of.
 * @param bytes how many are to be written
 * @throws RegistryError UNAVAILABLE
 */
export type AssertRoom = (index: BundleIndex, graph: BundleGraph, bytes: number) => Promise<void>;

export interface StageBundleOptions {
  readonly reader: TarReader;
  readonly front: BundleFront;
  /** Undefined where everything is to be read and checked, and nothing kept. */
  readonly staging: Staging | undefined;
  readonly isStored: IsStored;
  readonly assertRoom: AssertRoom;
  readonly onBytes: OnBytes;
}

/** What became of the content of a bundle. */
export interface StagedContent {
  readonly graph: BundleGraph;
  /** Blobs and manifests that were not stored. */
  readonly fresh: readonly BundledContent[];
}

/**
 * Reads a bundle behind its front. What it needs and has not is known once the manifests are in, and no
 * blob is read before.
 * @throws RegistryError BUNDLE_INVALID, BUNDLE_INCOMPLETE, MANIFEST_INVALID; TarFault; what the disk
 *   fails with
 */
export async function stageBundle(options: StageBundleOptions): Promise<StagedContent> {
  const { reader, front, staging, isStored, assertRoom, onBytes } = options;
  const { index } = front;
  assertEntry(front.next, bundleFiles.index, index.index.size);
  if (index.index.size > maxLayoutIndexSize) throw invalidBundle('its index.json is too large');
  await takeSmall(reader, index.index, () => undefined);
  await staging?.open();

  const nodes = new Map<Digest, BundledNode>();
  const tooLarge = index.manifests.find(({ size }) => size > maxManifestSize);
  if (tooLarge !== undefined) {
    throw invalidBundle(`the manifest ${tooLarge.digest} has ${tooLarge.size} bytes: too many`);
  }
  const manifests = new Expected(index.manifests);
  if (manifests.bytes > maxManifests) {
    throw invalidBundle(`its manifests have ${manifests.bytes} bytes: write several bundles`);
  }
  let entry = await reader.next();
  for (; entry !== undefined && manifests.left > 0; entry = await reader.next()) {
    const manifest = manifests.take(entry);
    const bytes = await takeSmall(reader, manifest, onBytes);
    nodes.set(manifest.digest, nodeOf(bytes, manifest.mediaType));
    await staging?.put(manifest.digest, bytes);
  }
  manifests.assertAll();
  const graph = new BundleGraph(index, nodes);

  const fresh: BundledContent[] = [];
  for (const each of index.manifests) {
    if (!(await isStored(each.digest, each.size))) fresh.push(each);
  }
  const isKept = new Map<Digest, boolean>();
  const missing: Digest[] = [];
  for (const { digest, size, included } of index.blobs) {
    const isThere = await isStored(digest, size);
    isKept.set(digest, isThere);
    if (!isThere && included) fresh.push({ digest, size });
    if (!isThere && !included) missing.push(digest);
  }
  if (missing.length > 0) throw incomplete(graph, missing);
  await assertRoom(index, graph, await bytesToWrite(fresh, staging));

  const blobs = new Expected(index.blobs.filter(({ included }) => included));
  for (; entry !== undefined; entry = await reader.next()) {
    const blob = blobs.take(entry);
    if (staging === undefined) await passOver(reader, blob, onBytes);
    else await staging.take(reader, blob, isKept.get(blob.digest) === true, onBytes);
  }
  blobs.assertAll();
  await staging?.settled();
  await staging?.describe(front.digests, front.signature);
  return { graph, fresh };
}

/** What an archive is still to bring: each once, under its name, and nothing else. */
class Expected<T extends BundledContent> {
  readonly #left: Map<Digest, T>;
  readonly #all: ReadonlySet<Digest>;
  readonly bytes: number;

  constructor(contents: readonly T[]) {
    this.#left = new Map(contents.map((content) => [content.digest, content]));
    this.#all = new Set(this.#left.keys());
    this.bytes = contents.reduce((sum, { size }) => sum + size, 0);
  }

  get left(): number {
    return this.#left.size;
  }

  /** @throws RegistryError BUNDLE_INVALID for an entry that is none of these, or was there before */
  take(entry: TarEntry): T {
    const digest = digestOfPath(entry.name);
    const content = digest && this.#left.get(digest);
    if (digest === undefined || content === undefined) {
      const again = digest !== undefined && this.#all.has(digest);
      throw invalidBundle(
        again
          ? `it holds ${digest} twice`
          : `it holds ${quoted(entry.name)}, which does not belong there`,
      );
    }
    assertFile(entry);
    if (entry.size !== content.size) {
      throw invalidBundle(
        `${digest} has ${entry.size} bytes in the archive, and ${content.size} by baleen.json`,
      );
    }
    this.#left.delete(digest);
    return content;
  }

  /** @throws RegistryError BUNDLE_INVALID where one did not come */
  assertAll(): void {
    const [first] = this.#left.keys();
    if (first === undefined) return;
    const more = this.#left.size > 1 ? ` and ${this.#left.size - 1} more` : '';
    throw invalidBundle(`${first}${more} should be in it and is not`);
  }
}

/** The content that lies under a name in a layout, written as it has to be; undefined for anything else. */
export function digestOfPath(name: string): Digest | undefined {
  const [, algorithm, hex] = /^blobs\/([a-z0-9]+)\/([0-9a-f]+)$/.exec(name) ?? [];
  const digest = `${algorithm}:${hex}`;
  return isDigest(digest) ? digest : undefined;
}

/** @throws RegistryError BUNDLE_INVALID for a link, a device, a fifo, a folder */
export function assertFile({ name, type }: TarEntry): void {
  if (type !== 'file') throw invalidBundle(`${quoted(name)} is a ${type}: only files may be in it`);
}

function assertEntry(entry: TarEntry | undefined, name: string, size: number): void {
  if (entry?.name !== name) {
    throw invalidBundle(`${name} should come next and does not`);
  }
  assertFile(entry);
  if (entry.size !== size) {
    throw invalidBundle(
      `${name} has ${entry.size} bytes in the archive, and ${size} by baleen.json`,
    );
  }
}

async function bytesToWrite(
  fresh: readonly BundledContent[],
  staging: Staging | undefined,
): Promise<number> {
  let bytes = 0;
  for (const { digest, size } of fresh) {
    if ((await staging?.has(digest, size)) !== true) bytes += size;
  }
  return bytes;
}

/** Missing blobs of which the message speaks. */
const mostNamed = 10;

function incomplete(graph: BundleGraph, missing: readonly Digest[]): RegistryError {
  const lines = missing.slice(0, mostNamed).map((digest) => {
    const images = graph.neededBy(digest);
    const more = images.length > 3 ? ` and ${images.length - 3} more` : '';
    return `${digest} (needed by ${images.slice(0, 3).join(', ')}${more})`;
  });
  const rest = missing.length - lines.length;
  const named = `${lines.join('; ')}${rest > 0 ? `; and ${rest} more` : ''}`;
  return new RegistryError(
    'BUNDLE_INCOMPLETE',
    `it was written for a site that holds ${missing.length === 1 ? 'a blob' : `${missing.length} blobs`} that this one lacks: ${named}. Export it again with the inventory of this site (baleen inventory), or without --since and --have`,
    { detail: { missing: missing.slice(0, 1000) } },
  );
}
