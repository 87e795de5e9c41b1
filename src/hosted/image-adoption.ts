import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { linkOrCopy } from '../lib/link-or-copy.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parsePushedManifest } from '../oci/pushed-manifest.ts';
import type { Tag } from '../oci/reference.ts';
import type { QualifiedName, RepositoryName } from '../oci/repository-name.ts';
import type { StoredManifest } from '../registry/manifest-cache.ts';
import { isRight } from '../store/verification.ts';
import type { HostedLocks } from './hosted-locks.ts';
import type { HostedRules } from './hosted-rules.ts';
import { immutable, referrerOf } from './manifest-push.ts';
import type { ManifestShelf } from './manifest-shelf.ts';
import type { Shelf } from './mount.ts';

export interface ImageAdoptionOptions extends Shelf {
  readonly locks: HostedLocks;
  readonly rules: HostedRules;
  readonly shelf: ManifestShelf;
}

/** Content of a manifest, as it is named elsewhere. */
interface Named {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
}

/** What comes to one repository. */
interface Incoming {
  readonly key: QualifiedName;
  readonly repository: RepositoryName;
  readonly manifests: readonly Named[];
  readonly blobs: readonly Named[];
  readonly tags: readonly (Named & { readonly tag: Tag })[];
  readonly read: (manifest: Named) => Promise<StoredManifest>;
}

/**
 * Takes images in that were verified elsewhere, as pushes would bring them: with the same locks, the same
 * rules and in the same order. Unlike a push, an index may come without the children of some platforms:
 * whoever brought it chose those that are wanted here.
 */
export class ImageAdoption {
  readonly #options: ImageAdoptionOptions;

  constructor(options: ImageAdoptionOptions) {
    this.#options = options;
  }

  path(digest: Digest): string {
    return this.#options.layout.blob(digest);
  }

  async holds(digest: Digest, size: number): Promise<boolean> {
    return (await this.#options.store.stat(digest)) === size;
  }

  /** @throws RegistryError DENIED for a tag that is immutable and names something else; MANIFEST_INVALID */
  async assertAllowed(incoming: Incoming): Promise<void> {
    for (const { tag, digest } of incoming.tags) await this.#assertMovable(incoming, tag, digest);
    for (const manifest of incoming.manifests) await this.#judged(incoming, manifest);
  }

  async hasBlob({ key }: Incoming, blob: Digest): Promise<boolean> {
    return (await this.#options.catalog.linked(key, 'blobs', blob)) !== undefined;
  }

  /**
   * Makes a blob belong to the repository.
   * @param source where it lies, if it has still to be stored
   * @throws RegistryError UNAVAILABLE
   */
  async addBlob(
    { key }: Incoming,
    { digest, mediaType, size }: Named,
    source: { readonly path: string; readonly isVerified: boolean } | undefined,
  ): Promise<void> {
    const { layout, store, catalog, locks } = this.#options;
    await locks.withBlobs([digest], async () => {
      if ((await store.stat(digest)) !== size) {
        if (source === undefined) throw gone(digest);
        const temporary = join(layout.temporary, randomUUID());
        try {
          await linkOrCopy(source.path, temporary);
          if (!source.isVerified && !(await isRight(temporary, digest))) throw gone(digest);
          await store.adopt(digest, temporary, size);
        } finally {
          await rm(temporary, { force: true });
        }
      }
      await catalog.link(key, 'blobs', [{ digest, mediaType, size }]);
    });
  }

  async addManifests(incoming: Incoming): Promise<void> {
    const { locks, shelf } = this.#options;
    const brought = new Set(incoming.blobs.map(({ digest }) => digest));
    for (const each of incoming.manifests) {
      const { manifest, parsed } = await this.#judged(incoming, each);
      const referrer = referrerOf(parsed, manifest);
      const blobs = parsed.blobs.map(({ digest }) => digest).filter((blob) => brought.has(blob));
      await locks.withRepository(incoming.key, async () => {
        await this.#assertLinked(incoming, blobs);
        await shelf.put(incoming.key, manifest, referrer, []);
      });
    }
  }

  async addTags(incoming: Incoming): Promise<void> {
    const { locks, shelf } = this.#options;
    for (const { tag, ...named } of incoming.tags) {
      const manifest = await incoming.read(named);
      await locks.withRepository(incoming.key, async () => {
        await this.#assertMovable(incoming, tag, named.digest);
        await shelf.put(incoming.key, manifest, undefined, [tag]);
      });
    }
  }

  /** Until a manifest names it, a client may delete a blob. */
  async #assertLinked({ key }: Incoming, blobs: readonly Digest[]): Promise<void> {
    const { catalog } = this.#options;
    for (const digest of blobs) {
      if ((await catalog.linked(key, 'blobs', digest)) === undefined) throw gone(digest);
    }
  }

  async #judged(
    { read }: Incoming,
    named: Named,
  ): Promise<{ manifest: StoredManifest; parsed: ReturnType<typeof parsePushedManifest> }> {
    const manifest = await read(named);
    return { manifest, parsed: parsePushedManifest(manifest.bytes, manifest.mediaType) };
  }

  async #assertMovable({ key, repository }: Incoming, tag: Tag, digest: Digest): Promise<void> {
    const { catalog, rules } = this.#options;
    if (!rules.isImmutable(repository, tag)) return;
    const current = await catalog.tag(key, tag);
    if (current === undefined || current.digest === digest) return;
    throw immutable(tag, `names ${current.digest} in ${repository}`);
  }
}

function gone(digest: Digest): RegistryError {
  return new RegistryError('UNAVAILABLE', `${digest} is not stored any more; import again`);
}
