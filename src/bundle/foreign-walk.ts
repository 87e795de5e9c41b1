import { isDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { maxManifestSize, parseManifest } from '../oci/manifest.ts';
import { formatPlatform, readPlatform } from '../oci/platform.ts';
import { parsePushedManifest } from '../oci/pushed-manifest.ts';
import { nodeOf, type BundledNode } from './bundle-graph.ts';
import type {
  BundledBlob,
  BundledImage,
  BundledManifest,
  BundledReferrer,
  BundleIndex,
} from './bundle-index.ts';
import { invalidBundle, maxLinks, tooManyLinks } from './faults.ts';
import type { ForeignArchive } from './stage-foreign.ts';
import type { IsStored, Staging } from './staging.ts';

/** What an archive names first. */
export interface Root {
  readonly manifest: BundledManifest;
  /** Full names. */
  readonly names: readonly string[];
}

/** Follows manifests to all that they name. */
export class ForeignWalk {
  readonly nodes = new Map<Digest, BundledNode>();
  readonly #archive: ForeignArchive;
  readonly #staging: Staging;
  readonly #isStored: IsStored;
  readonly #manifests = new Map<Digest, BundledManifest>();
  readonly #blobs = new Map<Digest, BundledBlob>();
  readonly #platforms = new Map<Digest, string[]>();
  readonly #subjects = new Map<Digest, Omit<BundledReferrer, 'repository'>>();

  constructor(archive: ForeignArchive, staging: Staging, isStored: IsStored) {
    this.#archive = archive;
    this.#staging = staging;
    this.#isStored = isStored;
  }

  /** @throws RegistryError BUNDLE_INVALID, BUNDLE_INCOMPLETE, MANIFEST_INVALID */
  async from(root: BundledManifest): Promise<void> {
    const known = this.#manifests.get(root.digest);
    // By another name: what it names was looked for already.
    if (known?.mediaType === root.mediaType && known.size === root.size) return;
    if (!(await this.#enter(root))) {
      throw invalidBundle(`the manifest ${root.digest} should be in it and is not`);
    }
  }

  index(roots: readonly Root[], named: Digest): BundleIndex {
    const images = roots.flatMap(({ manifest, names }) =>
      [...new Set(names)].map((name): BundledImage => {
        return { name, ...manifest, platforms: this.#platforms.get(manifest.digest) ?? [] };
      }),
    );
    const sorted = images.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const twice = sorted.find(({ name }, at) => sorted[at + 1]?.name === name);
    if (twice !== undefined) {
      throw new RegistryError('REQUEST_INVALID', `two images in it would be called ${twice.name}`);
    }
    return {
      version: 1,
      index: { digest: named, size: 0 },
      images: sorted,
      referrers: this.#referrers(images, roots),
      manifests: inOrder(this.#manifests),
      blobs: inOrder(this.#blobs),
    };
  }

  /** Those without a name belong to the repositories of what they refer to. */
  #referrers(images: readonly BundledImage[], roots: readonly Root[]): BundledReferrer[] {
    const homes = new Map<Digest, Set<string>>();
    let links = 0;
    const settle = (root: Digest, repository: string): void => {
      const all = new Set([root]);
      // A set goes on to what is added while it is walked.
      for (const digest of all) {
        const known = homes.get(digest) ?? new Set();
        if (known.has(repository)) continue;
        homes.set(digest, known.add(repository));
        const children = this.nodes.get(digest)?.manifests ?? [];
        links += 1 + children.length;
        if (links > maxLinks) throw tooManyLinks();
        for (const child of children) all.add(child.digest);
      }
    };
    for (const { name, digest } of images) settle(digest, parseImageReference(name).name);
    let open = roots.filter(({ names }) => names.length === 0);
    const found: BundledReferrer[] = [];
    for (let before = Infinity; open.length > 0 && open.length < before;) {
      before = open.length;
      open = open.filter(({ manifest: { digest } }) => {
        const referrer = this.#subjects.get(digest);
        const home = referrer && homes.get(referrer.subject);
        if (referrer === undefined || home === undefined) return true;
        for (const repository of home) {
          found.push({ repository, ...referrer });
          settle(digest, repository);
        }
        return false;
      });
    }
    const [lost] = open;
    if (lost !== undefined) {
      throw invalidBundle(`${lost.manifest.digest} has no name, and refers to no image in it`);
    }
    return found.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  /** Whether it is there. */
  async #enter({ digest, mediaType, size }: BundledManifest): Promise<boolean> {
    const open: BundledManifest[] = [{ digest, mediaType, size }];
    let isRoot = true;
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const bytes = await this.#manifest(next);
      if (bytes === undefined) {
        // An index may name what is for other platforms.
        if (isRoot) return false;
        continue;
      }
      isRoot = false;
      const node = nodeOf(bytes, next.mediaType);
      this.nodes.set(next.digest, node);
      this.#manifests.set(next.digest, next);
      this.#note(next, bytes);
      for (const child of node.manifests) {
        if (!this.nodes.has(child.digest)) open.push(pick(child));
      }
      for (const blob of node.blobs) {
        if (!(await this.#hasBlob(blob)) && !blob.isOptional)
          throw missing(next.digest, blob.digest);
      }
    }
    return true;
  }

  async #manifest({ digest, size }: BundledManifest): Promise<Buffer | undefined> {
    const bytes = await this.#staging.read(digest, maxManifestSize);
    if (bytes === undefined && this.#archive.contents.has(digest)) {
      throw invalidBundle(`the manifest ${digest} is too large`);
    }
    if (bytes !== undefined && bytes.length !== size) throw lying(digest);
    return bytes;
  }

  async #hasBlob({ digest, size }: { digest: Digest; size: number }): Promise<boolean> {
    const content = this.#archive.contents.get(digest);
    if (content !== undefined && content.size !== size) throw lying(digest);
    const included = content !== undefined;
    if (!included && !(await this.#isStored(digest, size))) return false;
    if (!this.#manifests.has(digest)) this.#blobs.set(digest, { digest, size, included });
    return true;
  }

  /** What only the whole document tells. */
  #note({ digest, mediaType, size }: BundledManifest, bytes: Buffer): void {
    const platforms = parseManifest(bytes, mediaType).manifests.flatMap((child) => {
      const platform = this.#archive.contents.has(child.digest) && readPlatform(child['platform']);
      return platform ? [formatPlatform(platform)] : [];
    });
    this.#platforms.set(
      digest,
      [...new Set(platforms)].filter((each) => each !== 'unknown/unknown'),
    );
    const { subject, artifactType, annotations } = parsePushedManifest(bytes, mediaType);
    if (subject === undefined || !isDigest(subject.digest)) return;
    this.#subjects.set(digest, {
      digest,
      mediaType,
      size,
      subject: subject.digest,
      ...(artifactType && { artifactType }),
      ...(annotations && { annotations }),
    });
  }
}

/** As {@link BundleIndex} sorts them. */
function keyOf({ repository, subject, digest }: BundledReferrer): string {
  return `${repository} ${subject} ${digest}`;
}

function pick({ digest, mediaType, size }: BundledManifest): BundledManifest {
  return { digest, mediaType, size };
}

function inOrder<T extends { readonly digest: Digest }>(all: ReadonlyMap<Digest, T>): T[] {
  return [...all.values()].toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
}

function lying(digest: Digest): RegistryError {
  return invalidBundle(`${digest} has another size than its manifest says`);
}

function missing(manifest: Digest, blob: Digest): RegistryError {
  return new RegistryError(
    'BUNDLE_INCOMPLETE',
    `${blob}, which ${manifest} needs, is neither in it nor stored here`,
  );
}
