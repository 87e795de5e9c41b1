import type { RepositoryName } from '../oci/repository-name.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { DownloadPace } from './hold-back.ts';

/** Where a download gets its bytes. */
export interface DownloadSource {
  readonly upstream: Upstream;
  readonly repository: RepositoryName;
  /** Milliseconds without a new byte after which a transfer is given up. */
  readonly patience: number;
  /**
   * Told that the upstream has the blob, and how large it says that it is; where it does not say,
   * told again once that is known. A good download ends only after this has settled, but its
   * readers do not wait for it. Must not reject.
   */
  accepted(size: number | undefined): Promise<void>;
  /** Holds the transfer back until somebody joins who is in a hurry; left out where nothing does. */
  readonly pace?: DownloadPace | undefined;
}
