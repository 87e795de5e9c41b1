import { isDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { isManifestType } from '../oci/media-type.ts';

/*
 * `baleen.json`, the digest index: the second file of a bundle, so that whoever reads the front of
 * one knows all that it holds, and all that the images in it need. It says nothing of the machine
 * that wrote it, and nothing of when: the same images give the same bytes.
 *
 * Every list is in ASCII order, of the names or else of the digests, and says nothing twice.
 */

/** Content of a bundle. */
export interface BundledContent {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** A manifest or an index. It is always in the bundle. */
export interface BundledManifest extends BundledContent {
  readonly mediaType: string;
}

/** A config, a layer, or whatever else manifests name that is no manifest. */
export interface BundledBlob extends BundledContent {
  /** Whether it is in the bundle; the far side is said to hold it where not. */
  readonly included: boolean;
}

/** An image under a name. */
export interface BundledImage extends BundledManifest {
  /** In full, as in `docker.io/library/nginx:1.27` or `ghcr.io/org/app@sha256:…`; one that was pushed bare, `local/app:1`. */
  readonly name: string;
  /**
   * The platforms of an index whose manifests are in the bundle, such as `linux/arm64/v8`; the one
   * that an image without an index is for. None where there is nothing that tells.
   */
  readonly platforms: readonly string[];
}

/** What refers to a manifest: a signature, an SBOM, an attestation. */
export interface BundledReferrer extends BundledManifest {
  /** In full, as in `docker.io/library/nginx`. */
  readonly repository: string;
  /** What it refers to. */
  readonly subject: Digest;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface BundleIndex {
  readonly version: 1;
  /** Of the layout's `index.json`. */
  readonly index: BundledContent;
  readonly images: readonly BundledImage[];
  readonly referrers: readonly BundledReferrer[];
  /** Of all images and referrers. */
  readonly manifests: readonly BundledManifest[];
  /** All that the manifests name. What is listed among the manifests is not listed here. */
  readonly blobs: readonly BundledBlob[];
}

/**
 * The largest digest index that is written and read, in bytes: room for some 500,000 blobs. Whoever
 * has more writes several bundles.
 */
export const maxBundleIndexSize = 64 * 1024 * 1024;

/** The largest `index.json` of a bundle, in bytes. */
export const maxLayoutIndexSize = 64 * 1024 * 1024;

/** Characters of a name, a platform or a type: far above what is in use. */
const longestText = 1024;

/**
 * Reads `baleen.json`, and believes nothing.
 * @throws RegistryError MANIFEST_INVALID
 */
export function parseBundleIndex(bytes: Buffer): BundleIndex {
  if (bytes.length > maxBundleIndexSize) throw invalid('it is too large');
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new RegistryError('MANIFEST_INVALID', `${fileName} is not JSON`, { cause });
  }
  if (!isObject(document)) throw invalid('it is no object');
  if (document['version'] !== 1) {
    throw invalid(`version ${String(document['version']).slice(0, 20)} is not known here`);
  }
  if (!isShape(document, ['version', 'index', 'images', 'referrers', 'manifests', 'blobs'])) {
    throw invalid('it has other members than it should have');
  }
  const { index } = document;
  if (!isContent(index) || !isShape(index, ['digest', 'size'])) throw invalid('index is malformed');
  const images = listOf(document, 'images', isImage, ({ name }) => name);
  const referrers = listOf(
    document,
    'referrers',
    isReferrer,
    ({ repository, subject, digest }) => `${repository} ${subject} ${digest}`,
  );
  const manifests = listOf(document, 'manifests', isManifest, ({ digest }) => digest);
  const blobs = listOf(document, 'blobs', isBlob, ({ digest }) => digest);
  assertListed([...images, ...referrers], manifests);
  assertApart(manifests, blobs);
  return { version: 1, index, images, referrers, manifests, blobs };
}

const fileName = 'baleen.json';

/** Checks each of a list, and that they stand in order, and none twice. */
function listOf<T>(
  document: Record<string, unknown>,
  key: string,
  is: (value: unknown) => value is T,
  keyOf: (item: T) => string,
): readonly T[] {
  const list = document[key];
  if (!Array.isArray(list)) throw invalid(`${key} are no list`);
  let last: string | undefined;
  for (const [at, item] of list.entries()) {
    if (!is(item)) throw invalid(`${key}[${at}] is malformed`);
    const key_ = keyOf(item);
    if (last !== undefined && last >= key_) throw invalid(`${key}[${at}] is out of order`);
    last = key_;
  }
  return list as T[];
}

/** What images and referrers are is in the list of manifests. */
function assertListed(
  named: readonly BundledManifest[],
  manifests: readonly BundledManifest[],
): void {
  const listed = new Map(manifests.map((manifest) => [manifest.digest, manifest]));
  for (const { digest, size, mediaType } of named) {
    const manifest = listed.get(digest);
    if (manifest?.size !== size || manifest.mediaType !== mediaType) {
      throw invalid(`${digest} is not among its manifests`);
    }
  }
}

function assertApart(manifests: readonly BundledContent[], blobs: readonly BundledContent[]): void {
  const listed = new Set(manifests.map(({ digest }) => digest));
  const twice = blobs.find(({ digest }) => listed.has(digest));
  if (twice !== undefined) throw invalid(`${twice.digest} is listed twice`);
}

function isImage(value: unknown): value is BundledImage {
  if (!isManifest(value, ['name', 'platforms'])) return false;
  const { name, platforms, digest } = value as unknown as Record<string, unknown>;
  return (
    isImageName(name, digest as string) && Array.isArray(platforms) && platforms.every(isPlatform)
  );
}

/** As platforms are written; it is printed. */
function isPlatform(value: unknown): boolean {
  return isText(value) && /^[\w.:/-]+$/.test(value);
}

/** A name with a tag, or with the digest of what it names. */
function isImageName(value: unknown, named: string): value is string {
  if (!isText(value)) return false;
  try {
    const { tag, digest } = parseImageReference(value);
    return digest === undefined ? tag !== undefined : digest === named;
  } catch {
    return false;
  }
}

function isReferrer(value: unknown): value is BundledReferrer {
  const optional = ['artifactType', 'annotations'];
  if (!isManifest(value, ['repository', 'subject'], optional)) return false;
  const { repository, subject, artifactType, annotations } = value as unknown as Record<
    string,
    unknown
  >;
  return (
    isText(repository) &&
    isText(subject) &&
    isDigest(subject) &&
    (artifactType === undefined || isText(artifactType)) &&
    (annotations === undefined ||
      (isObject(annotations) &&
        Object.values(annotations).every((each) => typeof each === 'string')))
  );
}

function isManifest(
  value: unknown,
  more: readonly string[] = [],
  optional: readonly string[] = [],
): value is BundledManifest {
  if (!isContent(value) || !isShape(value, ['digest', 'mediaType', 'size', ...more], optional)) {
    return false;
  }
  const { mediaType } = value as unknown as Record<string, unknown>;
  return typeof mediaType === 'string' && isManifestType(mediaType);
}

function isBlob(value: unknown): value is BundledBlob {
  return (
    isContent(value) &&
    isShape(value, ['digest', 'size', 'included']) &&
    typeof (value as unknown as Record<string, unknown>)['included'] === 'boolean'
  );
}

function isContent(value: unknown): value is BundledContent {
  if (!isObject(value)) return false;
  const { digest, size } = value;
  return isText(digest) && isDigest(digest) && Number.isSafeInteger(size) && (size as number) >= 0;
}

/** Whether an object has all of these members, and none besides but the optional ones. */
function isShape(
  value: object,
  members: readonly string[],
  optional: readonly string[] = [],
): boolean {
  const keys = Object.keys(value);
  return (
    members.every((member) => Object.hasOwn(value, member)) &&
    keys.every((key) => members.includes(key) || optional.includes(key))
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= longestText;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(message: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `${fileName} is not right: ${message}`);
}
