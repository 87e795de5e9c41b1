import type { Catalog } from '../catalog/catalog.ts';
import type { ReferrerRecord } from '../catalog/referrer-record.ts';
import { inBatches } from '../lib/batches.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestAlgorithms, type Digest } from '../oci/digest.ts';
import { parsePushedManifest } from '../oci/pushed-manifest.ts';
import type { Tag } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { ManifestCache, StoredManifest } from '../registry/manifest-cache.ts';
import type { HostedLocks } from './hosted-locks.ts';
import { pruneIfEmpty } from './prune.ts';
import type { Removal } from './repository-collector.ts';
import { indexOf, merged, type ReferrersIndexes } from './referrers-indexes.ts';

export interface ManifestShelfOptions {
  readonly catalog: Catalog;
  readonly cache: ManifestCache;
  readonly locks: HostedLocks;
  readonly record: ReferrerRecord;
  readonly indexes: ReferrersIndexes;
}

/** Tags that are looked at at the same time. */
const width = 16;

/**
 * Puts manifests into a repository and takes them out again, whatever the rules say. For who holds
 * the lock of the repository.
 *
 * The order of the steps is such that a crash, or a disk that refuses, leaves at every point only
 * what can be read to the end: content before what makes it belong to a repository, that before a
 * referrer's entry and the tags; and the other way round on the way out. What was not done is done when
 * the client tries again.
 */
export class ManifestShelf implements Removal {
  readonly #options: ManifestShelfOptions;

  constructor(options: ManifestShelfOptions) {
    this.#options = options;
  }

  /** Durable when it settles; so are all of these. */
  async put(
    repository: QualifiedName,
    manifest: StoredManifest,
    referrer: Referrer | undefined,
    tags: readonly Tag[],
  ): Promise<void> {
    const { catalog, record } = this.#options;
    await this.#keep(repository, manifest);
    if (referrer !== undefined) {
      await record.add(repository, referrer.subject, referrer.descriptor);
      await this.#renewPushedIndex(repository, referrer.subject);
    }
    const { digest, mediaType, bytes } = manifest;
    for (const tag of tags) {
      const checkedAt = Date.now();
      await catalog.putTag(repository, tag, { digest, mediaType, size: bytes.length, checkedAt });
    }
  }

  /** Takes a tag away, and leaves what it names. */
  async deleteTag(repository: QualifiedName, tag: Tag): Promise<void> {
    await this.#options.catalog.deleteTag(repository, tag);
  }

  /** Takes a manifest away, the tags that name it, and its entry among its subject's referrers. */
  async deleteManifest(repository: QualifiedName, digest: Digest): Promise<void> {
    const { catalog } = this.#options;
    for (const tag of (await this.tagsByDigest(repository)).get(digest) ?? []) {
      await catalog.deleteTag(repository, tag);
    }
    await this.deleteUntagged(repository, digest);
    await pruneIfEmpty(catalog, repository);
  }

  /** The same for one of many: nobody looks for tags that name it, nor for what is left when it is gone. */
  async deleteUntagged(repository: QualifiedName, digest: Digest): Promise<void> {
    const { catalog, record } = this.#options;
    for (const subject of await this.#subjectsOf(repository, digest)) {
      await record.remove(repository, subject, digest);
      await this.#renewPushedIndex(repository, subject, digest);
    }
    await catalog.unlink(repository, 'manifests', [digest]);
  }

  /** What the manifest refers to; undefined also where it was lost. */
  async subjectOf(repository: QualifiedName, digest: Digest): Promise<Digest | undefined> {
    const { catalog, cache } = this.#options;
    const member = await catalog.linked(repository, 'manifests', digest);
    const stored = member && (await cache.get(digest, member.mediaType));
    return stored && subjectIn(stored);
  }

  /** The tags of a repository by what they name. */
  async tagsByDigest(repository: QualifiedName): Promise<ReadonlyMap<Digest, readonly Tag[]>> {
    const { catalog } = this.#options;
    const found = new Map<Digest, Tag[]>();
    const look = async (tag: Tag) => ({ tag, named: await catalog.tag(repository, tag) });
    for await (const { tag, named } of inBatches(await catalog.tags(repository), width, look)) {
      if (named === undefined) continue;
      const tags = found.get(named.digest);
      if (tags === undefined) found.set(named.digest, [tag]);
      else tags.push(tag);
    }
    return found;
  }

  async #keep(repository: QualifiedName, manifest: StoredManifest): Promise<void> {
    const { catalog, cache, locks } = this.#options;
    const { digest, mediaType, bytes } = manifest;
    await locks.withBlobs([digest], async () => {
      await cache.put(manifest);
      await catalog.link(repository, 'manifests', [{ digest, mediaType, size: bytes.length }]);
    });
  }

  /** Where it is listed as a referrer; everywhere, where it was lost and cannot tell. */
  async #subjectsOf(repository: QualifiedName, digest: Digest): Promise<readonly Digest[]> {
    const { catalog, cache, record } = this.#options;
    const member = await catalog.linked(repository, 'manifests', digest);
    if (member === undefined) return [];
    const stored = await cache.get(digest, member.mediaType);
    if (stored !== undefined) return [subjectIn(stored)].filter((subject) => subject !== undefined);
    const all = digestAlgorithms.map((algorithm) => record.subjects(repository, algorithm, ''));
    return (await Promise.all(all)).flat();
  }

  /**
   * Keeps the index in step that a client without the referrers API has pushed for a subject. One that
   * takes its place belongs to the registry; the one before goes, unless it has another name.
   * @param without a referrer that is going
   */
  async #renewPushedIndex(
    repository: QualifiedName,
    subject: Digest,
    without?: Digest,
  ): Promise<void> {
    const { catalog, record, indexes } = this.#options;
    const pushed = await indexes.pushed(repository, subject);
    if (pushed === undefined) return;
    const all = merged(await record.list(repository, subject), pushed.referrers);
    const manifests = all.filter(({ digest }) => digest !== without);
    const { tag, digest: before, document } = pushed;
    const index = indexOf(document, manifests);
    if (index.digest === before) return;
    if (manifests.length === 0) {
      await catalog.deleteTag(repository, tag);
    } else {
      await this.put(repository, index, undefined, [tag]);
    }
    const named = await this.tagsByDigest(repository);
    if (!named.has(before)) await catalog.unlink(repository, 'manifests', [before]);
  }
}

function subjectIn({ bytes, mediaType }: StoredManifest): Digest | undefined {
  try {
    return parsePushedManifest(bytes, mediaType).subject?.digest;
  } catch {
    // Taken in by another version's judgement.
    return undefined;
  }
}

/** A manifest with a subject, as that one's list of referrers shows it. */
export interface Referrer {
  readonly subject: Digest;
  readonly descriptor: Descriptor;
}
