import type { Catalog } from '../catalog/catalog.ts';
import { inBatches } from '../lib/batches.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { imageName } from '../oci/image-reference.ts';
import { maxManifestSize, parseManifest, type Manifest } from '../oci/manifest.ts';
import { formatPlatform, readPlatform } from '../oci/platform.ts';
import type { QualifiedName } from '../oci/repository-name.ts';

/** Where manifests are read from: not as a use of them, for nobody has asked for these. */
export interface GraphSource {
  readonly catalog: Pick<Catalog, 'tag' | 'tags' | 'linked' | 'members'>;
  /** Undefined for what is not there or larger than `limit` bytes. */
  readonly read: (digest: Digest, limit: number) => Promise<Buffer | undefined>;
}

/** Of one repository, no more than this is looked at. */
const maxManifests = 2_000;
const maxTags = 5_000;

/** Files that are read at the same time. */
const width = 16;

/** What names what in a repository, as far as it is here: read from its leaves to its roots. */
export class ImageGraph {
  readonly #repository: QualifiedName;
  readonly #tags = new Map<Digest, string[]>();
  readonly #indexes = new Map<Digest, Set<Digest>>();
  readonly #platforms = new Map<Digest, string>();
  readonly #images = new Map<Digest, Set<Digest>>();

  private constructor(repository: QualifiedName) {
    this.#repository = repository;
  }

  /** Reads the manifests and tags of a repository. @throws the disk's error */
  static async of(repository: QualifiedName, { catalog, read }: GraphSource): Promise<ImageGraph> {
    const graph = new ImageGraph(repository);
    const members = (await catalog.members(repository, 'manifests')).slice(0, maxManifests);
    const manifestOf = async (digest: Digest): Promise<readonly [Digest, Manifest] | undefined> => {
      const member = await catalog.linked(repository, 'manifests', digest);
      const bytes = member && (await read(digest, maxManifestSize));
      const manifest = bytes && parsed(bytes, member?.mediaType);
      return manifest && [digest, manifest];
    };
    for await (const found of inBatches(members, width, manifestOf)) {
      if (found !== undefined) graph.#add(...found);
    }
    const tags = (await catalog.tags(repository)).slice(0, maxTags);
    const digestOf = async (tag: (typeof tags)[number]) => {
      const record = await catalog.tag(repository, tag);
      return record && { tag, digest: record.digest };
    };
    for await (const found of inBatches(tags, width, digestOf)) {
      if (found !== undefined) append(graph.#tags, found.digest, imageName(repository, found.tag));
    }
    return graph;
  }

  /** The images whose manifests name a blob; those that have a tag first. */
  namersOf(blob: Digest): Digest[] {
    const all = [...(this.#images.get(blob) ?? [])];
    const known = all.filter((digest) => this.tagsOf(digest).length > 0);
    return [...known, ...all.filter((digest) => !known.includes(digest))];
  }

  /** Full names under which a manifest is reached: its own, and those of the indexes that name it. */
  tagsOf(manifest: Digest): string[] {
    const reached = new Set([manifest]);
    // A set goes on to what is added while it is walked.
    for (const digest of reached) {
      for (const index of this.#indexes.get(digest) ?? []) reached.add(index);
    }
    return [...reached].flatMap((digest) => this.#tags.get(digest) ?? []).toSorted();
  }

  /** What an index says that a manifest is for, such as `linux/arm64`. */
  platformOf(manifest: Digest): string | undefined {
    return this.#platforms.get(manifest);
  }

  /** The full name of a manifest. */
  nameOf(manifest: Digest): string {
    return imageName(this.#repository, manifest);
  }

  #add(digest: Digest, { manifests, blobs }: Manifest): void {
    for (const child of manifests) {
      include(this.#indexes, child.digest, digest);
      const platform = platformIn(child);
      if (platform !== undefined) this.#platforms.set(child.digest, platform);
    }
    for (const blob of blobs) include(this.#images, blob.digest, digest);
  }
}

function parsed(bytes: Buffer, mediaType: string | undefined): Manifest | undefined {
  try {
    return parseManifest(bytes, mediaType);
  } catch {
    // It is none, and names nothing.
    return undefined;
  }
}

function append(map: Map<Digest, string[]>, key: Digest, value: string): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function include(map: Map<Digest, Set<Digest>>, key: Digest, value: Digest): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

/** Attestations say `unknown/unknown`; they come with their image. */
function platformIn({ platform }: Descriptor): string | undefined {
  const found = readPlatform(platform);
  const text = found === undefined || found.os === 'unknown' ? '' : formatPlatform(found);
  // It was written elsewhere, and goes to terminals.
  return /^[\w.:/-]{1,100}$/.test(text) ? text : undefined;
}
