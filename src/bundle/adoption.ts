import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf, splitDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { maxManifestSize } from '../oci/manifest.ts';
import type { Tag } from '../oci/reference.ts';
import type { ImagePlace } from '../registry/image-place.ts';
import type { StoredManifest } from '../registry/manifest-cache.ts';
import { BundleGraph, nodeOf, type BundledNode, type NamedContent } from './bundle-graph.ts';
import type { BundledManifest, BundleIndex } from './bundle-index.ts';
import { maxLinks, tooManyLinks } from './faults.ts';
import type { Staging } from './staging.ts';

/** A tag, and what it names from now on. */
export interface AdoptedTag extends BundledManifest {
  readonly tag: Tag;
}

/** What a bundle brings to one repository. */
export interface RepositoryContent extends ImagePlace {
  /** Children before what names them. */
  readonly manifests: readonly BundledManifest[];
  /** What indexes name besides: children for platforms that did not come along. */
  readonly absent: readonly NamedContent[];
  readonly blobs: readonly NamedContent[];
  /** Those of them whose bytes did not come along. */
  readonly left: readonly Digest[];
  readonly referrers: readonly { readonly subject: Digest; readonly descriptor: Descriptor }[];
  readonly tags: readonly AdoptedTag[];
  /** The whole of a manifest, its digest verified. */
  readonly read: (manifest: BundledManifest) => Promise<StoredManifest>;
}

/** Where a file lies whose bytes are those of a blob. */
export interface BlobSource {
  readonly path: string;
  /** Whether it may be taken from there: what stays behind is not needed. */
  readonly mayMove: boolean;
  /** Whether it was hashed a moment ago. */
  readonly isVerified: boolean;
}

/** A store with its record, as far as content comes into it that was verified elsewhere. */
export interface AdoptingPart {
  /** Where a blob lies, if it does. */
  path(digest: Digest): string;
  /** Whether a blob is stored with so many bytes; from then on it counts as used. */
  holds(digest: Digest, size: number): Promise<boolean>;
  /** @throws RegistryError DENIED where something may not be changed, before anything is */
  assertAllowed(content: RepositoryContent): Promise<void>;
  /** Whether a blob is known for certain to belong to the repository. */
  hasBlob(content: RepositoryContent, blob: Digest): Promise<boolean>;
  /** Stores a blob of a repository. @param source undefined where it is stored already */
  addBlob(
    content: RepositoryContent,
    blob: NamedContent,
    source: BlobSource | undefined,
  ): Promise<void>;
  /** Puts on record what belongs to the repository: nothing more is needed to pull it by its digest. */
  addManifests(content: RepositoryContent): Promise<void>;
  /** The last step: from then on clients find it by its tags. */
  addTags(content: RepositoryContent): Promise<void>;
}

/** Where content can go. */
export type AdoptingParts = Readonly<Record<ImagePlace['part'], AdoptingPart>>;

export interface AdoptionOptions {
  readonly index: BundleIndex;
  readonly staging: Staging;
  readonly parts: AdoptingParts;
  /** @throws RegistryError NAME_INVALID, NAME_UNKNOWN */
  readonly placeOf: (repository: string) => ImagePlace;
  /**
   * Whether it is believed of what did not come along, and is stored here for some other repository, that
   * it belongs to the images as well. Who only knows a digest could else have its bytes.
   */
  readonly isTrusted: boolean;
  /** Told of bytes of blobs that have found their place. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Takes what was staged into the stores and the record. Nothing is visible before all blobs are in their
 * place; then manifests, then tags. Whoever dies on the way leaves nothing half-visible: who comes again
 * goes on.
 */
export class Adoption {
  readonly contents: readonly RepositoryContent[];
  /** Of all blobs, each as often as it belongs to a repository. */
  readonly bytes: number;
  readonly #options: AdoptionOptions;

  private constructor(options: AdoptionOptions, graph: BundleGraph) {
    this.#options = options;
    this.contents = contentsOf(options, graph);
    this.bytes = this.contents.reduce(
      (sum, { blobs }) => blobs.reduce((before, { size }) => before + size, sum),
      0,
    );
  }

  /**
   * Looks at what is staged, and changes nothing yet.
   * @throws RegistryError BUNDLE_INVALID, BUNDLE_UNTRUSTED, NAME_INVALID, NAME_UNKNOWN, DENIED, UNAVAILABLE
   */
  static async prepare(options: AdoptionOptions): Promise<Adoption> {
    const { index, staging } = options;
    const nodes = new Map<Digest, BundledNode>();
    for (const manifest of index.manifests) {
      const { bytes, mediaType } = await readStaged(staging, manifest);
      nodes.set(manifest.digest, nodeOf(bytes, mediaType));
    }
    const adoption = new Adoption(options, new BundleGraph(index, nodes));
    for (const content of adoption.contents) {
      const part = options.parts[content.part];
      await part.assertAllowed(content);
      if (!options.isTrusted) await assertOwn(part, content);
      for (const blob of content.blobs) await adoption.#sourceOf(content, blob);
    }
    return adoption;
  }

  /** @throws RegistryError UNAVAILABLE where something went away meanwhile, or the disk refuses */
  async run(): Promise<void> {
    const { parts, onBytes } = this.#options;
    // What was pushed takes a second name of a file, and leaves it to the cache to move it.
    const last = this.contents.toSorted((a, b) => (a.part > b.part ? -1 : 1));
    for (const content of last) {
      for (const blob of content.blobs) {
        const source = await this.#sourceOf(content, blob);
        await parts[content.part].addBlob(content, blob, source);
        onBytes(blob.size);
      }
    }
    for (const content of this.contents) await parts[content.part].addManifests(content);
    // Before it was on record, nobody who takes things away could know that it is needed.
    await this.#assertWhole();
    for (const content of this.contents) await parts[content.part].addTags(content);
  }

  async #assertWhole(): Promise<void> {
    const seen = new Set<string>();
    for (const { part, manifests, blobs } of this.contents) {
      for (const { digest, size } of [...manifests, ...blobs]) {
        if (seen.has(`${part} ${digest}`)) continue;
        seen.add(`${part} ${digest}`);
        if (!(await this.#options.parts[part].holds(digest, size))) throw gone(digest);
      }
    }
  }

  /** Undefined where it is in its place already. */
  async #sourceOf(
    { part }: RepositoryContent,
    { digest, size }: NamedContent,
  ): Promise<BlobSource | undefined> {
    const { staging, parts } = this.#options;
    if (await parts[part].holds(digest, size)) return undefined;
    if (await staging.has(digest, size)) {
      return { path: staging.path(digest), mayMove: part === 'cached', isVerified: true };
    }
    const other = parts[part === 'cached' ? 'hosted' : 'cached'];
    if (await other.holds(digest, size)) {
      return { path: other.path(digest), mayMove: false, isVerified: false };
    }
    throw gone(digest);
  }
}

/** @throws RegistryError BUNDLE_UNTRUSTED */
async function assertOwn(part: AdoptingPart, content: RepositoryContent): Promise<void> {
  for (const blob of content.left) {
    if (await part.hasBlob(content, blob)) continue;
    throw new RegistryError(
      'BUNDLE_UNTRUSTED',
      `${blob} is not in it, and is not known to belong to ${content.repository}: where there are accounts, that is believed only of a bundle that is signed with one of bundles.trusted_keys. Sign it, or export it without --since and --have`,
    );
  }
}

/** Of a blob that was stored here, and is no more, or is damaged. */
export function gone(digest: Digest): RegistryError {
  return new RegistryError(
    'UNAVAILABLE',
    `${digest} was here a moment ago and is gone: it was removed, or made room for others; import again`,
  );
}

/** A manifest as it was staged. @throws RegistryError UNAVAILABLE */
async function readStaged(staging: Staging, manifest: BundledManifest): Promise<StoredManifest> {
  const { digest, mediaType } = manifest;
  const bytes = await staging.read(digest, maxManifestSize);
  if (bytes === undefined || digestOf(bytes, splitDigest(digest).algorithm) !== digest) {
    throw new RegistryError('UNAVAILABLE', `what was staged is not whole: ${digest}; import again`);
  }
  return { digest, mediaType, bytes };
}

function contentsOf(
  { index, staging, placeOf }: AdoptionOptions,
  graph: BundleGraph,
): RepositoryContent[] {
  const found = new Map<string, Gathered>();
  const gather = (repository: string, root: Digest): Gathered => {
    const place = placeOf(repository);
    const content = found.get(place.key) ?? new Gathered(place);
    found.set(place.key, content);
    content.roots.add(root);
    return content;
  };
  for (const { name: full, digest, mediaType, size } of index.images) {
    const { name, tag } = parseImageReference(full);
    const content = gather(name, digest);
    if (tag !== undefined) content.tags.push({ tag, digest, mediaType, size });
  }
  for (const { repository, subject, ...descriptor } of index.referrers) {
    gather(repository, descriptor.digest).referrers.push({ subject, descriptor });
  }
  const notIncluded = new Set(
    index.blobs.filter(({ included }) => !included).map(({ digest }) => digest),
  );
  let links = 0;
  const onNamed = (count: number): void => {
    links += count;
    if (links > maxLinks) throw tooManyLinks();
  };
  return [...found.values()].map(({ place, roots, referrers, tags }) => {
    const { manifests, blobs } = graph.closureOf(roots, onNamed);
    const here = new Set(manifests.map(({ digest }) => digest));
    return {
      ...place,
      manifests,
      absent: manifests
        .flatMap(({ digest }) => graph.node(digest).manifests)
        .filter(({ digest }) => !here.has(digest)),
      blobs,
      left: blobs.map(({ digest }) => digest).filter((digest) => notIncluded.has(digest)),
      referrers,
      tags,
      read: (manifest) => readStaged(staging, manifest),
    };
  });
}

/** What belongs to one repository, as far as it was found. */
class Gathered {
  readonly place: ImagePlace;
  readonly roots = new Set<Digest>();
  readonly referrers: { subject: Digest; descriptor: Descriptor }[] = [];
  readonly tags: AdoptedTag[] = [];

  constructor(place: ImagePlace) {
    this.place = place;
  }
}
