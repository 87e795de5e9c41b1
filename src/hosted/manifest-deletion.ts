import type { Catalog } from '../catalog/catalog.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { isDigestReference, referrersTag, type Reference, type Tag } from '../oci/reference.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import type { HostedLocks } from './hosted-locks.ts';
import type { HostedRules } from './hosted-rules.ts';
import { immutable } from './manifest-push.ts';
import type { ManifestShelf } from './manifest-shelf.ts';
import type { Namers } from './namers.ts';

export interface ManifestDeletionOptions {
  readonly catalog: Catalog;
  readonly locks: HostedLocks;
  readonly shelf: ManifestShelf;
  readonly namers: Namers;
  readonly rules: HostedRules;
}

/**
 * Deletes for clients (distribution specification, "Content Management"). The bytes stay until the
 * next collection.
 */
export class ManifestDeletion {
  readonly #options: ManifestDeletionOptions;

  constructor(options: ManifestDeletionOptions) {
    this.#options = options;
  }

  /**
   * By a tag, that tag and nothing else; by a digest, the manifest with all its tags.
   * @throws RegistryError MANIFEST_UNKNOWN, UNSUPPORTED (switched off), DENIED (an immutable tag, or a
   *   platform of an index that is there), UNAVAILABLE (the disk refuses)
   */
  async delete(route: HostedRoute, reference: Reference): Promise<void> {
    const { rules, locks } = this.#options;
    rules.assertDeletes();
    await locks.withRepository(route.key, () =>
      isDigestReference(reference) ? this.#manifest(route, reference) : this.#tag(route, reference),
    );
  }

  async #tag(route: HostedRoute, tag: Tag): Promise<void> {
    const { catalog, rules, shelf } = this.#options;
    if ((await catalog.tag(route.key, tag)) === undefined) {
      throw new RegistryError('MANIFEST_UNKNOWN');
    }
    if (rules.isImmutable(route.repository, tag)) throw immutable(tag, 'cannot be deleted');
    await shelf.deleteTag(route.key, tag);
  }

  async #manifest(route: HostedRoute, digest: Digest): Promise<void> {
    const { catalog, rules, shelf } = this.#options;
    if ((await catalog.linked(route.key, 'manifests', digest)) === undefined) {
      throw new RegistryError('MANIFEST_UNKNOWN');
    }
    const tags = await shelf.tagsByDigest(route.key);
    const fixed = tags.get(digest)?.find((tag) => rules.isImmutable(route.repository, tag));
    if (fixed !== undefined) throw immutable(fixed, `names ${digest}, which cannot be deleted`);
    await this.#assertUnnamed(route, digest, tags);
    await shelf.deleteManifest(route.key, digest);
  }

  /**
   * Who pulls an index expects all of its platforms. An index of referrers holds nothing: it is kept in step
   * with what there is, and older versions of it have no tag.
   */
  async #assertUnnamed(
    route: HostedRoute,
    digest: Digest,
    tags: ReadonlyMap<Digest, readonly Tag[]>,
  ): Promise<void> {
    const { shelf, namers } = this.#options;
    const subject = await shelf.subjectOf(route.key, digest);
    const forReferrers = subject && referrersTag(subject);
    for await (const index of namers.ofManifest(route.key, digest)) {
      const isForReferrers =
        forReferrers !== undefined && (tags.get(index) ?? []).every((tag) => tag === forReferrers);
      if (isForReferrers) continue;
      throw new RegistryError(
        'DENIED',
        `${digest} belongs to the index ${index}: delete that one first`,
      );
    }
  }
}
