import type { Catalog } from '../catalog/catalog.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BlobAnswer, BlobFacts } from '../registry/get-blob.ts';
import { hit } from '../registry/outcome.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import { StoredBlobs, type StoredBlobsOptions } from '../registry/stored-blobs.ts';
import type { BlobReader } from '../store/blob-reader.ts';
import type { BlobLeases } from './blob-leases.ts';

export interface HostedBlobsOptions extends StoredBlobsOptions {
  readonly leases: Pick<BlobLeases, 'renew'>;
}

/** The blobs of repositories that live here. */
export class HostedBlobs {
  readonly #catalog: Catalog;
  readonly #stored: StoredBlobs;
  readonly #leases: HostedBlobsOptions['leases'];

  constructor(options: HostedBlobsOptions) {
    this.#leases = options.leases;
    this.#catalog = options.catalog;
    this.#stored = new StoredBlobs(options);
  }

  /** @throws RegistryError BLOB_UNKNOWN */
  async open(route: HostedRoute, digest: Digest): Promise<BlobAnswer> {
    const member = await this.#catalog.linked(route.key, 'blobs', digest);
    const reader = member && (await this.#stored.open(route, digest, member));
    if (reader === undefined) throw new RegistryError('BLOB_UNKNOWN');
    return { reader, outcome: hit };
  }

  /**
   * For who wants to know whether it has to be uploaded: what is said to be there stays for a while.
   * @throws RegistryError BLOB_UNKNOWN
   */
  async stat(route: HostedRoute, digest: Digest): Promise<BlobFacts> {
    const member = await this.#catalog.linked(route.key, 'blobs', digest);
    const size = member && (await this.#stored.size(route, digest, member));
    const isThere = size !== undefined && (await this.#leases.renew(route.key, digest));
    if (!isThere) throw new RegistryError('BLOB_UNKNOWN');
    return { size, outcome: hit };
  }

  /** Hears that an answer broke since its content failed. */
  contentFailed(_route: HostedRoute, digest: Digest, reader: BlobReader, error: Error): void {
    this.#stored.contentFailed(digest, reader, error);
  }
}
