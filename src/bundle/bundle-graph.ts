import { isDistributable, type Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest, readDocument } from '../oci/manifest.ts';
import { invalidBundle } from './faults.ts';
import type { BundledBlob, BundledContent, BundledManifest, BundleIndex } from './bundle-index.ts';

/** What a manifest of a bundle names: as little of it as will do, since there may be many. */
export interface BundledNode {
  readonly manifests: readonly NamedContent[];
  readonly blobs: readonly NamedContent[];
}

/** Content as a manifest names it. */
export interface NamedContent extends BundledContent {
  readonly mediaType: string;
  /** Clients find it elsewhere: it need not be there. */
  readonly isOptional: boolean;
}

/**
 * What a manifest of a bundle names.
 * @param mediaType as the bundle says it: it is served with that
 * @throws RegistryError MANIFEST_INVALID; BUNDLE_INVALID where the manifest says that it is something else
 */
export function nodeOf(bytes: Buffer, mediaType: string): BundledNode {
  const { mediaType: own } = readDocument(bytes);
  if (typeof own === 'string' && own !== mediaType) {
    throw invalidBundle(`a manifest is of another type than it should be (${mediaType})`);
  }
  const { manifests, blobs } = parseManifest(bytes, mediaType);
  return { manifests: manifests.map(named), blobs: blobs.map(named) };
}

function named(descriptor: Descriptor): NamedContent {
  const { digest, size, mediaType } = descriptor;
  return { digest, size, mediaType, isOptional: !isDistributable(descriptor) };
}

/** All that images and referrers consist of, as far as the bundle is about it. */
export interface BundledClosure {
  /** The children of an index before it, wherever else they are named. */
  readonly manifests: readonly BundledManifest[];
  readonly blobs: readonly NamedContent[];
}

/** The manifests of a bundle, and how they hang together with its digest index. */
export class BundleGraph {
  readonly #nodes: ReadonlyMap<Digest, BundledNode>;
  readonly #manifests: ReadonlyMap<Digest, BundledManifest>;
  readonly #blobs: ReadonlyMap<Digest, BundledBlob>;
  readonly #index: BundleIndex;
  #namers: ReadonlyMap<Digest, readonly Digest[]> | undefined;

  /**
   * @param nodes all manifests of the index
   * @throws RegistryError BUNDLE_INVALID where manifests and index say different things, or the index
   *   lists what nothing names
   */
  constructor(index: BundleIndex, nodes: ReadonlyMap<Digest, BundledNode>) {
    this.#index = index;
    this.#nodes = nodes;
    this.#manifests = new Map(index.manifests.map((each) => [each.digest, each]));
    this.#blobs = new Map(index.blobs.map((each) => [each.digest, each]));
    this.#check();
  }

  /**
   * All that some manifests lead to, themselves included; children that are for other platforms are not
   * there. Each is looked at once, however many ways lead to it.
   * @param onNamed told how many things a manifest names, before they are looked at
   */
  closureOf(roots: Iterable<Digest>, onNamed?: (count: number) => void): BundledClosure {
    const manifests = new Map<Digest, BundledManifest>();
    const blobs = new Map<Digest, NamedContent>();
    const entered = new Set<Digest>();
    const open = [...roots].map((digest) => ({ digest, isDone: false }));
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { digest, isDone } = next;
      const manifest = this.#manifests.get(digest);
      // A manifest stands behind all that it names.
      if (isDone && manifest !== undefined) manifests.set(digest, manifest);
      if (isDone || entered.has(digest)) continue;
      entered.add(digest);
      const node = this.node(digest);
      onNamed?.(node.manifests.length + node.blobs.length + 1);
      open.push({ digest, isDone: true });
      for (const child of node.manifests) {
        if (this.#manifests.has(child.digest)) open.push({ digest: child.digest, isDone: false });
      }
      for (const blob of node.blobs) {
        if (this.#blobs.has(blob.digest)) blobs.set(blob.digest, blob);
      }
    }
    return { manifests: [...manifests.values()], blobs: [...blobs.values()] };
  }

  /** What a manifest names itself. */
  node(digest: Digest): BundledNode {
    return this.#nodes.get(digest) ?? { manifests: [], blobs: [] };
  }

  /** The names of the images that need a blob; those of what their referrers refer to, where it is theirs. */
  neededBy(blob: Digest): string[] {
    const namers = (this.#namers ??= namersIn(this.#nodes));
    const needing = new Set([blob]);
    // A set goes on to what is added while it is walked.
    for (const digest of needing) for (const by of namers.get(digest) ?? []) needing.add(by);
    const { images, referrers } = this.#index;
    return [
      ...images.filter(({ digest }) => needing.has(digest)).map(({ name }) => name),
      ...referrers
        .filter(({ digest }) => needing.has(digest))
        .map(({ repository, subject }) => `a referrer of ${repository}@${subject}`),
    ];
  }

  #check(): void {
    const roots = [...this.#index.images, ...this.#index.referrers];
    const reached = new Set(roots.map(({ digest }) => digest));
    for (const digest of reached) {
      const { manifests, blobs } = this.node(digest);
      for (const child of manifests) {
        const listed = this.#manifests.get(child.digest);
        if (listed === undefined) continue;
        assertSame(digest, child, listed);
        if (listed.mediaType !== child.mediaType) {
          throw invalidBundle(`${digest} and baleen.json say different types of ${child.digest}`);
        }
        reached.add(child.digest);
      }
      for (const blob of blobs) {
        const listed = this.#blobs.get(blob.digest);
        if (listed !== undefined) assertSame(digest, blob, listed);
        else if (!blob.isOptional && !this.#manifests.has(blob.digest)) {
          throw invalidBundle(`${digest} needs ${blob.digest}, of which baleen.json says nothing`);
        }
        reached.add(blob.digest);
      }
    }
    const all = [...this.#manifests.keys(), ...this.#blobs.keys()];
    const useless = all.find((digest) => !reached.has(digest));
    if (useless !== undefined) {
      throw invalidBundle(`baleen.json lists ${useless}, which no image of it needs`);
    }
  }
}

function assertSame(by: Digest, { digest, size }: NamedContent, listed: BundledContent): void {
  if (listed.size === size) return;
  throw invalidBundle(`${by} and baleen.json say different sizes of ${digest}`);
}

/** Which manifests name what. */
function namersIn(nodes: ReadonlyMap<Digest, BundledNode>): Map<Digest, Digest[]> {
  const namers = new Map<Digest, Digest[]>();
  for (const [by, { manifests, blobs }] of nodes) {
    for (const { digest } of [...manifests, ...blobs]) {
      const known = namers.get(digest);
      if (known === undefined) namers.set(digest, [by]);
      else known.push(by);
    }
  }
  return namers;
}
