import type { Catalog, Member } from '../catalog/catalog.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobReader } from '../store/blob-reader.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { BlobHealth } from './blob-health.ts';
import type { Route } from './resolve-route.ts';

export interface StoredBlobsOptions {
  readonly catalog: Catalog;
  readonly store: BlobStore;
  readonly health: BlobHealth;
}

/**
 * What of the store can be served. A file that was cut short, removed or replaced, or that the
 * disk cannot give back, is no error: it is as good as none, and fetched again.
 */
export class StoredBlobs {
  readonly #options: StoredBlobsOptions;

  constructor(options: StoredBlobsOptions) {
    this.#options = options;
  }

  /** Opens a blob, or gives undefined. Close it. */
  async open(
    route: Route,
    digest: Digest,
    member: Member | undefined,
  ): Promise<BlobReader | undefined> {
    const { store, health } = this.#options;
    try {
      const reader = await store.open(digest);
      if (reader === undefined || !isDoubtful(reader.size, member)) return reader;
      reader.close();
      return (await this.#hasRightBytes(route, digest)) ? await store.open(digest) : undefined;
    } catch (error) {
      await health.readFailed(digest, error);
      return undefined;
    }
  }

  /** The size in bytes of what could be opened. */
  async size(route: Route, digest: Digest, member: Member): Promise<number | undefined> {
    const { store, health } = this.#options;
    try {
      const size = await store.stat(digest);
      if (size === undefined || !isDoubtful(size, member)) return size;
      return (await this.#hasRightBytes(route, digest)) ? size : undefined;
    } catch (error) {
      await health.readFailed(digest, error);
      return undefined;
    }
  }

  /** Hears that an answer broke since its content failed. The next one is to find better. */
  contentFailed(digest: Digest, { fileId }: BlobReader, error: Error): void {
    // A reader without a file followed a download, which knows what to do.
    if (fileId !== undefined) void this.#options.health.readFailed(digest, error, fileId);
  }

  /**
   * Whether a stored blob is right although its size is not the one on record, or none is: a file
   * that was cut short would be sent as if it were whole. Its size is on record from then on.
   */
  async #hasRightBytes(route: Route, digest: Digest): Promise<boolean> {
    const { catalog, health } = this.#options;
    const size = await health.sizeOf(digest);
    if (size === undefined) return false;
    const known = await catalog.linked(route.key, 'blobs', digest);
    // A claim is a manifest's word, and stays that.
    if (known !== undefined && !known.claimed) {
      // A record that cannot be written says nothing against the blob, which is hashed again then.
      await catalog.link(route.key, 'blobs', [{ ...known, size }]).catch(() => undefined);
    }
    return true;
  }
}

/**
 * Whether a file's size does not show that it is whole. Without permission it is not served, and
 * does not matter yet.
 */
function isDoubtful(size: number | undefined, member: Member | undefined): boolean {
  return member !== undefined && !member.claimed && member.size !== size;
}
