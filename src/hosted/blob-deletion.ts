import type { Catalog } from '../catalog/catalog.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import type { HostedLocks } from './hosted-locks.ts';
import type { HostedRules } from './hosted-rules.ts';
import type { Namers } from './namers.ts';
import { pruneIfEmpty } from './prune.ts';

export interface BlobDeletionOptions {
  readonly catalog: Catalog;
  readonly locks: HostedLocks;
  readonly namers: Pick<Namers, 'ofBlob'>;
  readonly rules: Pick<HostedRules, 'assertDeletes'>;
}

/** Deletes blobs for clients (distribution specification, "Deleting Blobs"). */
export class BlobDeletion {
  readonly #options: BlobDeletionOptions;

  constructor(options: BlobDeletionOptions) {
    this.#options = options;
  }

  /**
   * Takes a blob out of a repository. Its bytes stay until the next collection, and for as long as
   * they belong to another one.
   * @throws RegistryError BLOB_UNKNOWN, UNSUPPORTED (switched off), DENIED (a manifest needs it),
   *   UNAVAILABLE (the disk refuses)
   */
  async delete({ key }: HostedRoute, digest: Digest): Promise<void> {
    const { catalog, locks, namers, rules } = this.#options;
    rules.assertDeletes();
    // No manifest that names it comes in between.
    await locks.withRepository(key, async () => {
      if ((await catalog.linked(key, 'blobs', digest)) === undefined) {
        throw new RegistryError('BLOB_UNKNOWN');
      }
      const manifest = await namers.ofBlob(key, digest);
      if (manifest !== undefined) {
        throw new RegistryError(
          'DENIED',
          `the manifest ${manifest} needs it: delete that one first`,
        );
      }
      await catalog.unlink(key, 'blobs', [digest]);
      await pruneIfEmpty(catalog, key);
    });
  }
}
