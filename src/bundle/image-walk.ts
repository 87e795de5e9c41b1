import { isDistributable, type Descriptor } from '../oci/descriptor.ts';
import { digestOf, splitDigest, type Digest } from '../oci/digest.ts';
import { maxManifestSize, parseManifest, type Manifest } from '../oci/manifest.ts';
import { isIndexType } from '../oci/media-type.ts';
import {
  chooseChildren,
  formatPlatform,
  isAttestation,
  rankFor,
  readPlatform,
  type Platform,
  type Platforms,
} from '../oci/platform.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { BundledContent, BundledManifest } from './bundle-index.ts';
import type { ImageSource } from './image-source.ts';

/** Something that has to be in a bundle, and is not there. */
export type Lack =
  | {
      /** `damaged`: its file is not what it should be. */
      readonly kind: 'missing' | 'damaged';
      readonly content: 'manifest' | 'blob';
      readonly digest: Digest;
      /** For which it is needed, where that is known. */
      readonly platform: string | undefined;
    }
  /** The image is made for others only. */
  | { readonly kind: 'not offered'; readonly platform: string; readonly offered: readonly string[] }
  /** Of an index, of which nothing in particular was asked for. */
  | { readonly kind: 'no platform'; readonly offered: readonly string[] };

/** What an image consists of, with whatever of an index was chosen. */
export interface ImageParts {
  readonly manifests: readonly BundledManifest[];
  readonly blobs: readonly BundledContent[];
  /** For which it is made, where something tells. */
  readonly platforms: readonly Platform[];
  readonly lacks: readonly Lack[];
}

/** Which children of an index: all that are wholly stored, or those that must be. */
export type Choice = 'stored' | Platforms;

/** The largest config that is looked into for the platform of an image, in bytes. */
const maxConfig = 4 * 1024 * 1024;

const configTypes: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);

/**
 * Follows manifests to all that they name, as far as it is stored, and tells what is not. Of what was
 * pulled through, manifests are believed, whoever's blobs they name: whoever may read the data directory
 * may read these as well. Of what was pushed, a repository gives only what belongs to it: whoever pushes
 * may name layers that are said to be had elsewhere, by digests of which he knows nothing else.
 */
export class ImageWalk {
  readonly #source: ImageSource;
  readonly #choice: Choice;
  readonly #within: QualifiedName | undefined;
  /** Many images share their parts. */
  readonly #known = new Map<Digest, Promise<ImageParts>>();

  /** @param within the repository to which all has to belong; undefined where what is stored will do */
  constructor(source: ImageSource, choice: Choice, within: QualifiedName | undefined) {
    this.#source = source;
    this.#choice = choice;
    this.#within = within;
  }

  /** An image by the digest of its manifest or index. It may be made for none of the chosen platforms. */
  async image(digest: Digest): Promise<ImageParts> {
    const parts = await this.#parts(digest);
    const { platforms, lacks } = parts;
    if (lacks.length > 0 || this.#serves(platforms)) return parts;
    const offered = platforms.map(formatPlatform);
    const missing = (this.#choice as readonly Platform[]).map((each) => formatPlatform(each));
    return {
      ...parts,
      lacks: missing.map((platform) => ({ kind: 'not offered', platform, offered })),
    };
  }

  /** Whether machines of a chosen platform can run it, or nothing is known of what it is for. */
  #serves(platforms: readonly Platform[]): boolean {
    const choice = this.#choice;
    if (typeof choice === 'string' || platforms.length === 0) return true;
    return platforms.some((offered) =>
      choice.some((wanted) => rankFor(wanted, offered) !== undefined),
    );
  }

  #parts(digest: Digest): Promise<ImageParts> {
    const known = this.#known.get(digest);
    if (known !== undefined) return known;
    const parts = this.#walk(digest);
    this.#known.set(digest, parts);
    return parts;
  }

  async #walk(digest: Digest): Promise<ImageParts> {
    const isHere = await this.#belongs('manifests', digest);
    const bytes = isHere ? await this.#source.read(digest, maxManifestSize) : undefined;
    if (bytes === undefined) return lacking('missing', digest);
    const manifest = readWhole(bytes, digest);
    if (manifest === undefined) return lacking('damaged', digest);
    const { mediaType } = manifest;
    const own = { digest, mediaType, size: bytes.length };
    const { blobs, lacks } = await this.#blobs(manifest.blobs);
    if (isIndexType(mediaType)) {
      return join([
        { manifests: [own], blobs, lacks, platforms: [] },
        ...(await this.#children(manifest)),
      ]);
    }
    const platform = lacks.length > 0 ? undefined : await this.#platformOf(manifest);
    return { manifests: [own], blobs, lacks, platforms: platform === undefined ? [] : [platform] };
  }

  async #children({ manifests }: Manifest): Promise<ImageParts[]> {
    const choice = this.#choice;
    if (choice === 'stored') return this.#storedChildren(manifests);
    const { children, missing } = chooseChildren(manifests, choice);
    const found: ImageParts[] = [];
    for (const child of children) {
      const parts = labelled(await this.#parts(child.digest), child);
      // What is said about an image is no part of it; and what says no platform may be for others.
      const isExtra = choice !== 'all' && isAttestation(child);
      const isWhole = parts.lacks.length === 0;
      if (isExtra ? isWhole : !isWhole || this.#serves(parts.platforms)) found.push(parts);
    }
    const offered = offeredBy(manifests);
    const lacks = missing.map((each): Lack => ({
      kind: 'not offered',
      platform: formatPlatform(each),
      offered,
    }));
    return [...found, { ...nothing, lacks }];
  }

  async #storedChildren(children: readonly Descriptor[]): Promise<ImageParts[]> {
    const found: ImageParts[] = [];
    let isRunnable = false;
    for (const child of children) {
      const parts = labelled(await this.#parts(child.digest), child);
      if (parts.lacks.length > 0) continue;
      found.push(parts);
      isRunnable ||= !isAttestation(child);
    }
    if (isRunnable || children.every(isAttestation)) return found;
    return [{ ...nothing, lacks: [{ kind: 'no platform', offered: offeredBy(children) }] }];
  }

  async #blobs(
    descriptors: readonly Descriptor[],
  ): Promise<{ blobs: BundledContent[]; lacks: Lack[] }> {
    const blobs: BundledContent[] = [];
    const lacks: Lack[] = [];
    for (const descriptor of descriptors) {
      const { digest, size } = descriptor;
      const isHere = await this.#belongs('blobs', digest);
      // Clients have it from elsewhere, as when it was pushed.
      if (!isHere && !isDistributable(descriptor)) continue;
      const stored = isHere ? await this.#source.sizeOf(digest) : undefined;
      const kind = stored === undefined ? 'missing' : stored === size ? undefined : 'damaged';
      if (kind === undefined) blobs.push({ digest, size });
      else lacks.push({ kind, content: 'blob', digest, platform: undefined });
    }
    return { blobs, lacks };
  }

  async #belongs(kind: 'manifests' | 'blobs', digest: Digest): Promise<boolean> {
    const within = this.#within;
    if (within === undefined) return true;
    return (await this.#source.catalog.linked(within, kind, digest)) !== undefined;
  }

  /** What the config of an image says. */
  async #platformOf({ blobs: [config] }: Manifest): Promise<Platform | undefined> {
    if (config === undefined || !configTypes.has(config.mediaType)) return undefined;
    const bytes = await this.#source.read(config.digest, maxConfig);
    try {
      return readPlatform(JSON.parse(bytes?.toString() ?? ''));
    } catch {
      return undefined;
    }
  }
}

const nothing: ImageParts = { manifests: [], blobs: [], platforms: [], lacks: [] };

function lacking(kind: 'missing' | 'damaged', digest: Digest): ImageParts {
  return { ...nothing, lacks: [{ kind, content: 'manifest', digest, platform: undefined }] };
}

/** A manifest whose bytes are those of its digest; what type it is of, it says itself. */
function readWhole(bytes: Buffer, digest: Digest): Manifest | undefined {
  if (digestOf(bytes, splitDigest(digest).algorithm) !== digest) return undefined;
  try {
    return parseManifest(bytes, undefined);
  } catch {
    return undefined;
  }
}

/** Says for which platform it is what an index says it is for. */
function labelled(parts: ImageParts, child: Descriptor): ImageParts {
  const platform = isAttestation(child) ? undefined : readPlatform(child['platform']);
  if (platform === undefined) return isAttestation(child) ? { ...parts, platforms: [] } : parts;
  const label = formatPlatform(platform);
  return {
    ...parts,
    platforms: [platform],
    lacks: parts.lacks.map((lack) => ('digest' in lack ? { ...lack, platform: label } : lack)),
  };
}

function offeredBy(children: readonly Descriptor[]): string[] {
  const platforms = children
    .filter((child) => !isAttestation(child))
    .map((child) => readPlatform(child['platform']));
  return [...new Set(platforms.filter((each) => each !== undefined).map(formatPlatform))];
}

function join(parts: readonly ImageParts[]): ImageParts {
  return {
    manifests: parts.flatMap(({ manifests }) => manifests),
    blobs: parts.flatMap(({ blobs }) => blobs),
    platforms: parts.flatMap(({ platforms }) => platforms),
    lacks: parts.flatMap(({ lacks }) => lacks),
  };
}
