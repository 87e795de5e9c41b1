import { join } from 'node:path';
import { splitDigest, type Digest } from '../oci/digest.ts';

/**
 * Where everything lies under the data directory. The version is part of every path, so that a
 * later layout can stand beside this one.
 */
export class Layout {
  /** `<data>/v1`, or `<data>/v1/hosted` for what was pushed. */
  readonly root: string;
  readonly part: 'cached' | 'hosted';
  readonly blobs: string;
  readonly spool: string;
  readonly repositories: string;
  /** Blobs that are being pushed: one folder each. Only where things are pushed. */
  readonly uploads: string;
  /** Files on their way to their name, by rename: emptied at every start. */
  readonly temporary: string;

  /**
   * @param part what was pushed has a tree of its own, in the same form: nothing that lets go of
   *   what is cached ever comes near it, and it can be backed up alone
   */
  constructor(dataDirectory: string, part: 'cached' | 'hosted' = 'cached') {
    this.part = part;
    this.root = join(dataDirectory, 'v1', part === 'cached' ? '' : part);
    this.blobs = join(this.root, 'blobs');
    this.spool = join(this.root, 'spool');
    this.uploads = join(this.root, 'uploads');
    this.repositories = join(this.root, 'repositories');
    this.temporary = join(this.root, 'tmp');
  }

  /** `blobs/sha256/ab/<hex>`. */
  blob(digest: Digest): string {
    const { algorithm, hex } = splitDigest(digest);
    return join(this.blobs, algorithm, hex.slice(0, 2), hex);
  }

  /** `spool/sha256-<hex>`: the folder of a download in progress. No colon: `rsync` and `scp` trip over it. */
  spoolOf(digest: Digest): string {
    return join(this.spool, this.spoolName(digest));
  }

  /** The name of that folder. */
  spoolName(digest: Digest): string {
    const { algorithm, hex } = splitDigest(digest);
    return `${algorithm}-${hex}`;
  }
}
