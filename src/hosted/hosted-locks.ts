import { Serial } from '../lib/serial.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * Keeps changes of what is hosted from crossing each other. Readers need none of this: every file is
 * put in place at once.
 *
 * Whoever needs both takes the repository first and the blobs inside: never the other way round, and
 * never a second repository inside the first.
 */
export class HostedLocks {
  readonly #repositories = new Serial();
  readonly #blobs = new Serial();
  readonly #watches = new Set<BlobWatch>();

  /**
   * Runs what changes a repository's manifests, tags, referrers and memberships, or relies on them to
   * stay as they are.
   * @param key the route's: `_hosted/<name>`
   */
  withRepository<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.#repositories.run([key], work);
  }

  /**
   * Runs what links content into a repository, from the look at the store to the membership on disk,
   * or what deletes content that no membership names any more. Manifests count as blobs here.
   */
  withBlobs<T>(digests: readonly Digest[], work: () => Promise<T>): Promise<T> {
    return this.#blobs.run(digests, async () => {
      try {
        return await work();
      } finally {
        // Before the next one runs: who has the lock sees all who had it before.
        for (const { seen } of this.#watches) for (const digest of digests) seen.add(digest);
      }
    });
  }

  /** The same for who only takes away: no watch has to hear of it. */
  removingBlob<T>(digest: Digest, work: () => Promise<T>): Promise<T> {
    return this.#blobs.run([digest], work);
  }

  /** Notes from now on which blobs may have been linked. Dispose it. */
  watchBlobs(): BlobWatch {
    const watch: BlobWatch = {
      seen: new Set(),
      [Symbol.dispose]: () => void this.#watches.delete(watch),
    };
    this.#watches.add(watch);
    return watch;
  }
}

/**
 * What the collection needs to hear: a blob that no record named when it looked may have been linked
 * since.
 */
export interface BlobWatch extends Disposable {
  /** The blobs of which somebody has had the lock, and let go of it. */
  readonly seen: Set<Digest>;
}
