import { readFile } from 'node:fs/promises';
import type { Catalog } from '../catalog/catalog.ts';
import { isMissing } from '../lib/atomic-file.ts';
import { inBatches } from '../lib/batches.ts';
import type { Digest } from '../oci/digest.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import { parseManifest, type Manifest } from '../oci/manifest.ts';
import { isIndexType } from '../oci/media-type.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { Layout } from '../store/layout.ts';

export interface NamersOptions {
  readonly catalog: Catalog;
  readonly layout: Layout;
}

/** Manifests that are read at the same time. */
const width = 16;

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
    const { catalog } = this.#options;
    const read = async (digest: Digest): Promise<readonly [Digest, Manifest] | undefined> => {
      const member = await catalog.linked(repository, 'manifests', digest);
      if (member === undefined || !isWanted(member.mediaType)) return undefined;
      const manifest = await this.#read(digest, member.mediaType);
      return manifest && [digest, manifest];
    };
    const members = await catalog.members(repository, 'manifests');
    for await (const found of inBatches(members, width, read)) if (found !== undefined) yield found;
  }

  /** Not through the store, for which it would be a use: nobody has asked for it. */
  async #read(digest: Digest, mediaType: string): Promise<Manifest | undefined> {
    try {
      return parseManifest(await readFile(this.#options.layout.blob(digest)), mediaType);
    } catch (error) {
      if (isMissing(error) || isRegistryError(error, 'MANIFEST_INVALID')) return undefined;
      throw new RegistryError('UNAVAILABLE', 'the disk refuses', { cause: error });
    }
  }
}
