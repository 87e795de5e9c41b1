import type { Catalog } from '../catalog/catalog.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest, type Manifest } from '../oci/manifest.ts';
import { isIndexType } from '../oci/media-type.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { ManifestCache } from '../registry/manifest-cache.ts';

export interface NamersOptions {
  readonly catalog: Catalog;
  readonly cache: Pick<ManifestCache, 'peek' | 'read'>;
}

/**
 * Which manifests of a repository name some content. Nobody keeps a list of that: all of them are
 * read. One that was lost names nothing.
 */
export class Namers {
  readonly #options: NamersOptions;

  constructor(options: NamersOptions) {
    this.#options = options;
  }

  /**
   * A manifest that names this blob, where there is one. To be trusted for as long as the lock of the
   * repository is held.
   * @throws RegistryError UNAVAILABLE where the disk does not let it look
   */
  async ofBlob(repository: QualifiedName, blob: Digest): Promise<Digest | undefined> {
    for await (const [digest, { blobs }] of this.#manifests(repository, () => true)) {
      if (blobs.some((each) => each.digest === blob)) return digest;
    }
    return undefined;
  }

  /**
   * The indexes that name this manifest.
   * @throws RegistryError UNAVAILABLE where the disk does not let it look
   */
  async *ofManifest(repository: QualifiedName, manifest: Digest): AsyncGenerator<Digest> {
    for await (const [digest, { manifests }] of this.#manifests(repository, isIndexType)) {
      if (manifests.some((each) => each.digest === manifest)) yield digest;
    }
  }

  async *#manifests(
    repository: QualifiedName,
    isWanted: (mediaType: string) => boolean,
  ): AsyncGenerator<readonly [Digest, Manifest]> {
    const { catalog, cache } = this.#options;
    for (const digest of await catalog.members(repository, 'manifests')) {
      const member = await catalog.linked(repository, 'manifests', digest);
      if (member === undefined || !isWanted(member.mediaType)) continue;
      const { mediaType } = member;
      const stored = cache.peek(digest, mediaType) ?? (await cache.read(digest, mediaType));
      if (stored !== undefined) yield [digest, parseManifest(stored.bytes, mediaType)];
    }
  }
}
