import { isAnnotations } from '../oci/annotations.ts';
import type { Digest } from '../oci/digest.ts';
import { isDigestReference, isReferrersTag, referrersTag, type Tag } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { formatPlatform } from '../oci/platform.ts';
import type {
  BundledBlob,
  BundledContent,
  BundledImage,
  BundledManifest,
  BundledReferrer,
} from './bundle-index.ts';
import { imageName, nameOf, type ExportTarget } from './export-target.ts';
import type { ImageSource } from './image-source.ts';
import { ImageWalk, type Choice, type ImageParts, type Lack } from './image-walk.ts';

/** All that a bundle is to hold. Every list is in order, and says nothing twice. */
export interface BundlePlan {
  readonly images: readonly BundledImage[];
  readonly referrers: readonly BundledReferrer[];
  readonly manifests: readonly BundledManifest[];
  readonly blobs: readonly BundledBlob[];
  /** Where the file of each lies. */
  readonly pathOf: (digest: Digest) => string;
  /** What there would have to be, and is not. Where this is not empty, nothing can be written. */
  readonly lacking: readonly LackingImage[];
}

/** An image that is not wholly stored. */
export interface LackingImage {
  readonly name: string;
  /** Whether it was pushed, so that nobody else has it. */
  readonly isHosted: boolean;
  /** Empty where nothing is known of it at all. */
  readonly lacks: readonly Lack[];
  /** Something that refers to it is what is lacking. */
  readonly isReferrer: boolean;
}

export interface BundlePlanOptions {
  /** Whether what refers to an image comes along: signatures, SBOMs, attestations. */
  readonly referrers: boolean;
}

/** Tags by which cosign names what belongs to an image (sigstore, "Signature Specification"). */
const cosignSuffixes = ['.sig', '.att', '.sbom'];

/** Finds out what has to be in a bundle, and whether all of it is there. */
export class BundlePlanner {
  readonly #options: BundlePlanOptions;
  readonly #walks = new Map<ImageSource, Map<string, ImageWalk>>();
  /** What was looked at already: somebody may name an image twice. */
  readonly #seen = new Set<string>();
  readonly #images = new Map<string, BundledImage>();
  readonly #referrers = new Map<string, BundledReferrer>();
  readonly #manifests = new Map<Digest, BundledManifest>();
  readonly #blobs = new Map<Digest, BundledContent>();
  readonly #sources = new Map<Digest, ImageSource>();
  readonly #lacking: LackingImage[] = [];

  constructor(options: BundlePlanOptions) {
    this.#options = options;
  }

  /**
   * Call once.
   * @param held what the far side has: such blobs stay here
   */
  async plan(
    targets: readonly ExportTarget[],
    held: readonly (Iterable<BundledContent> | AsyncIterable<BundledContent>)[] = [],
  ): Promise<BundlePlan> {
    for (const target of targets) await this.#add(target);
    const blobs = new Map(
      [...this.#blobs]
        .filter(([digest]) => !this.#manifests.has(digest))
        .map(([digest, { size }]) => [digest, { digest, size, included: true }]),
    );
    for (const list of held) {
      for await (const { digest, size } of list) {
        const blob = blobs.get(digest);
        // What is of another size there is damaged there.
        if (blob?.size === size) blob.included = false;
      }
    }
    return {
      images: sorted(this.#images),
      referrers: sorted(this.#referrers),
      manifests: sorted(this.#manifests),
      blobs: sorted(blobs),
      pathOf: (digest) => this.#sources.get(digest)!.pathOf(digest),
      lacking: this.#lacking,
    };
  }

  async #add(target: ExportTarget): Promise<void> {
    const { source, repository, reference } = target;
    if (reference !== undefined) return this.#addImage(target, reference);
    const tags = (await source.catalog.tags(repository)).filter((tag) => !isAttached(tag));
    if (tags.length === 0) this.#lack(repository, nameOf(repository), []);
    for (const tag of tags) await this.#addImage(target, tag);
  }

  async #addImage(target: ExportTarget, reference: Tag | Digest): Promise<void> {
    const { source, repository, choice } = target;
    const name = imageName(repository, reference);
    const request = `${name} ${JSON.stringify(choice)}`;
    if (this.#seen.has(request)) return;
    this.#seen.add(request);
    const digest = await digestOf(source, repository, reference);
    if (digest === undefined) {
      this.#lack(repository, name, []);
      return;
    }
    const parts = await this.#walk(source, repository, choice).image(digest);
    this.#take(source, parts);
    if (parts.lacks.length > 0) {
      this.#lack(repository, name, parts.lacks);
      return;
    }
    this.#name(name, digest, parts);
    if (this.#options.referrers) await this.#addReferrers(target, name, parts);
  }

  /** All that refers to an image, to its parts, and to what refers to those. */
  async #addReferrers(
    { source, repository }: ExportTarget,
    name: string,
    image: ImageParts,
  ): Promise<void> {
    const subjects = new Set(image.manifests.map(({ digest }) => digest));
    // A set goes on to what is added while it is walked.
    for (const subject of subjects) {
      const found = await source.referrers(repository, subject);
      for (const descriptor of found) {
        const parts = await this.#walk(source, repository, 'all').image(descriptor.digest);
        this.#take(source, parts);
        if (parts.lacks.length > 0) this.#lack(repository, name, parts.lacks, true);
        else this.#refer(repository, subject, descriptor, parts);
        for (const { digest } of parts.manifests) subjects.add(digest);
      }
      for (const parts of await this.#attached(source, repository, name, subject)) {
        for (const { digest } of parts.manifests) subjects.add(digest);
      }
    }
  }

  /** What stands under tags that are made of a digest. */
  async #attached(
    source: ImageSource,
    repository: QualifiedName,
    name: string,
    subject: Digest,
  ): Promise<ImageParts[]> {
    const listed = referrersTag(subject);
    const found: ImageParts[] = [];
    for (const tag of [listed, ...cosignSuffixes.map((suffix) => `${listed}${suffix}` as Tag)]) {
      const digest = await digestOf(source, repository, tag);
      if (digest === undefined) continue;
      // A list that stands in for the referrers API may name what nobody wanted.
      const choice = tag === listed ? 'stored' : 'all';
      const parts = await this.#walk(source, repository, choice).image(digest);
      if (parts.lacks.length > 0) {
        if (tag !== listed) this.#lack(repository, name, parts.lacks, true);
        continue;
      }
      this.#take(source, parts);
      this.#name(imageName(repository, tag), digest, parts);
      found.push(parts);
    }
    return found;
  }

  #name(name: string, digest: Digest, { manifests, platforms }: ImageParts): void {
    const { mediaType, size } = manifests.find((manifest) => manifest.digest === digest)!;
    // It may have been asked for twice, for other platforms each.
    const earlier = this.#images.get(name)?.platforms ?? [];
    const all = new Set([...earlier, ...platforms.map(formatPlatform)]);
    const labels = [...all].filter(isShort).toSorted();
    this.#images.set(name, { name, digest, mediaType, size, platforms: labels });
  }

  #refer(
    repository: QualifiedName,
    subject: Digest,
    { digest, artifactType, annotations }: Descriptor,
    { manifests }: ImageParts,
  ): void {
    const { mediaType, size } = manifests.find((manifest) => manifest.digest === digest)!;
    const name = nameOf(repository);
    this.#referrers.set(`${name} ${subject} ${digest}`, {
      repository: name,
      subject,
      digest,
      mediaType,
      size,
      ...(isText(artifactType) && { artifactType }),
      ...(isAnnotations(annotations) && { annotations }),
    });
  }

  #take(source: ImageSource, { manifests, blobs }: ImageParts): void {
    for (const manifest of manifests) {
      this.#manifests.set(manifest.digest, manifest);
      this.#sources.set(manifest.digest, source);
    }
    for (const blob of blobs) {
      this.#blobs.set(blob.digest, blob);
      this.#sources.set(blob.digest, source);
    }
  }

  #lack(repository: QualifiedName, name: string, lacks: readonly Lack[], isReferrer = false): void {
    const isHosted = nameOf(repository) !== repository;
    this.#lacking.push({ name, isHosted, lacks, isReferrer });
  }

  #walk(source: ImageSource, repository: QualifiedName, choice: Choice): ImageWalk {
    const walks = this.#walks.get(source) ?? new Map<string, ImageWalk>();
    this.#walks.set(source, walks);
    const within = nameOf(repository) === repository ? undefined : repository;
    const key = `${within} ${JSON.stringify(choice)}`;
    const walk = walks.get(key) ?? new ImageWalk(source, choice, within);
    walks.set(key, walk);
    return walk;
  }
}

/** The digest that a reference names in a repository; undefined where it is not on record. */
async function digestOf(
  { catalog }: ImageSource,
  repository: QualifiedName,
  reference: Tag | Digest,
): Promise<Digest | undefined> {
  if (!isDigestReference(reference)) return (await catalog.tag(repository, reference))?.digest;
  return (await catalog.linked(repository, 'manifests', reference))?.digest;
}

/** Whether a tag is made of a digest, to stand beside an image. */
function isAttached(tag: Tag): boolean {
  const suffix = cosignSuffixes.find((each) => tag.endsWith(each)) ?? '';
  return isReferrersTag(tag.slice(0, tag.length - suffix.length));
}

function sorted<T>(map: ReadonlyMap<string, T>): T[] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

/** What is longer than anything in use is left out: nobody would read it. */
function isShort(text: string): boolean {
  return text.length <= 1024;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && isShort(value);
}
