import { LRUCache } from 'lru-cache';
import type { Catalog } from '../catalog/catalog.ts';
import type { ReferrerRecord } from '../catalog/referrer-record.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf, isDigest, type Digest } from '../oci/digest.ts';
import { parseManifest, readDocument, type ManifestDocument } from '../oci/manifest.ts';
import { isIndexType, mediaTypes } from '../oci/media-type.ts';
import { referrersTag, type Tag } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { ManifestCache, StoredManifest } from '../registry/manifest-cache.ts';

export interface ReferrersIndexesOptions {
  readonly catalog: Catalog;
  readonly cache: ManifestCache;
  readonly record: ReferrerRecord;
}

/** Bytes of indexes that were made up, kept for whoever asks for them by digest next. */
const maxMemory = 16 * 1024 * 1024;

const tagShape = /^(sha256|sha512)-([0-9a-f]{64})$/;

/**
 * The indexes that list referrers under a tag, for clients that do not know the referrers API
 * (distribution specification, "Referrers Tag Schema"). Such a client may have pushed one; where
 * none did, one is made up on demand, from the record, and not listed among the tags.
 */
export class ReferrersIndexes {
  readonly #options: ReferrersIndexesOptions;
  readonly #made = new LRUCache<string, StoredManifest>({
    maxSize: maxMemory,
    sizeCalculation: ({ bytes }) => bytes.length + 512,
  });

  constructor(options: ReferrersIndexesOptions) {
    this.#options = options;
  }

  /** The index that stands in for a tag which nobody has pushed. */
  async byTag(repository: QualifiedName, tag: Tag): Promise<StoredManifest | undefined> {
    const subject = await this.#subjectOf(repository, tag);
    if (subject === undefined) return undefined;
    const manifests = await this.#options.record.list(repository, subject);
    if (manifests.length === 0) return undefined;
    const made = indexOf({}, manifests);
    this.#made.set(`${repository}@${made.digest}`, made);
    return made;
  }

  /** An index that was lately given out by its tag. */
  byDigest(repository: QualifiedName, digest: Digest): StoredManifest | undefined {
    return this.#made.get(`${repository}@${digest}`);
  }

  /** The referrers of a subject: those on record, and what a client has pushed under the tag for them. */
  async referrers(repository: QualifiedName, subject: Digest): Promise<readonly Descriptor[]> {
    const recorded = await this.#options.record.list(repository, subject);
    const pushed = await this.pushed(repository, subject);
    if (pushed === undefined) return recorded;
    return merged(recorded, pushed.referrers);
  }

  /**
   * The index that a client has pushed under the tag for a subject's referrers, with those of its
   * entries that are still in the repository.
   */
  async pushed(repository: QualifiedName, subject: Digest): Promise<PushedIndex | undefined> {
    const { catalog, cache } = this.#options;
    const tag = referrersTag(subject);
    const known = await catalog.tag(repository, tag);
    // An image may go by any name.
    if (known === undefined || !isIndexType(known.mediaType)) return undefined;
    const stored = await cache.get(known.digest, known.mediaType);
    if (stored === undefined) return undefined;
    const { manifests } = parseManifest(stored.bytes, stored.mediaType);
    const present: Descriptor[] = [];
    for (const descriptor of manifests) {
      const member = await catalog.linked(repository, 'manifests', descriptor.digest);
      if (member !== undefined) present.push(descriptor);
    }
    return { tag, digest: known.digest, document: readDocument(stored.bytes), referrers: present };
  }

  /** sha512 is cut to 64 characters in a tag. */
  async #subjectOf(repository: QualifiedName, tag: Tag): Promise<Digest | undefined> {
    const [, algorithm, hex] = tagShape.exec(tag) ?? [];
    if (hex === undefined) return undefined;
    const digest = `${algorithm}:${hex}`;
    if (isDigest(digest)) return digest;
    return (await this.#options.record.subjects(repository, 'sha512', hex))[0];
  }
}

/** An index under the tag for a subject's referrers. */
export interface PushedIndex {
  readonly tag: Tag;
  readonly digest: Digest;
  readonly document: ManifestDocument;
  readonly referrers: readonly Descriptor[];
}

/** All of the first, and what of the second is not among them, in ASCII order of the digests. */
export function merged(one: readonly Descriptor[], other: readonly Descriptor[]): Descriptor[] {
  const all = new Map([...other, ...one].map((descriptor) => [descriptor.digest, descriptor]));
  return [...all.values()].toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
}

/** The index of these manifests; what else stands in the document stays. */
export function indexOf(
  document: ManifestDocument,
  manifests: readonly Descriptor[],
): StoredManifest {
  const mediaType = mediaTypes.ociIndex;
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, ...document, mediaType, manifests }),
  );
  return { digest: digestOf(bytes), mediaType, bytes };
}
