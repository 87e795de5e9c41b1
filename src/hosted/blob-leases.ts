import type { MemberFiles } from '../catalog/member-files.ts';
import type { Digest } from '../oci/digest.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { HostedLocks } from './hosted-locks.ts';

export interface BlobLeasesOptions {
  readonly files: Pick<MemberFiles, 'time' | 'renew'>;
  readonly locks: HostedLocks;
  /** For how long a blob stays that no manifest names, in milliseconds. */
  readonly grace: () => number;
  /** Told where the disk does not let a lease be noted. */
  readonly refused: (error: unknown) => void;
}

/**
 * How long a blob stays in a repository that no manifest names yet. Its time is that of the
 * membership's file, so that it outlives a crash, and counts from when the blob was last uploaded,
 * mounted, or said to be there: whoever hears that does not upload it, and pushes a manifest that
 * names it some minutes later.
 */
export class BlobLeases {
  readonly #options: BlobLeasesOptions;

  constructor(options: BlobLeasesOptions) {
    this.#options = options;
  }

  /**
   * To be called before a client is told that a blob is in a repository. Costs one look at a file,
   * and now and then a note in it. Who only pulls needs no lease, and gets an answer from a disk that
   * cannot be written to.
   * @returns whether it still is: the collection may have been quicker
   */
  async renew(repository: QualifiedName, digest: Digest): Promise<boolean> {
    const { files, locks, grace, refused } = this.#options;
    const time = await files.time(repository, 'blobs', digest);
    if (time === undefined) return false;
    // Most of the grace is left.
    if (Date.now() - time < grace() / 4) return true;
    return locks.withBlobs([digest], () =>
      files.renew(repository, 'blobs', digest).catch((error: unknown) => {
        refused(error);
        return true;
      }),
    );
  }
}
