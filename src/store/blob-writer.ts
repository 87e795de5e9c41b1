import type { ReadAt } from './blob-reader.ts';

/**
 * A blob on its way into the store. It grows in a spool file, hashed as it is written; readers
 * may follow up to `offset`. Closed without a commit, nothing becomes visible: what was written
 * stays in the spool for a later writer of the same digest, unless it was discarded.
 */
export interface BlobWriter {
  /** Bytes written and readable from the spool. */
  readonly offset: number;
  /** Validator and size of the answer these bytes came from, kept with the spool for a later resume. */
  readonly origin: SpoolOrigin;
  setOrigin(origin: SpoolOrigin): Promise<void>;
  /**
   * False once the disk, or the store's limit, has refused: from there on the bytes pass through
   * memory, writing waits for the readers, and there will be no commit.
   */
  readonly isKept: boolean;
  /** Whether the first byte and all behind it can still be read. */
  readonly isWhole: boolean;
  /** Whether a reader at `position` was left behind: nobody needs to wait for it any more. */
  isGone(position: number): boolean;
  /** No reader needs what lies before `position`; of effect only for what is not kept. */
  forget(position: number): void;
  /** Hashes and appends; resolves when the bytes are in the file. Never called twice at once. */
  write(chunks: readonly Buffer[]): Promise<void>;
  /** Reads back what was written, also after the commit, until closed. */
  readonly read: ReadAt;
  /** Whether what was written has the digest it should have. Ends the hash: no write after it. */
  verify(): boolean;
  /**
   * Makes the blob durable and visible: fsync, rename, fsync of the folder. Only after `verify()`
   * said true. Fails where the disk refuses, or where the store's limit leaves no room.
   */
  commit(): Promise<void>;
  /** Begins again from the first byte: what was written is of no use. Only while nobody reads it. */
  restart(): Promise<void>;
  /** Throws away what was written: it is wrong. */
  discard(): Promise<void>;
  /** Closes the file; call once, when nobody reads from it any more. */
  close(): Promise<void>;
}

/** What is known of the answer a spool's bytes came from. */
export interface SpoolOrigin {
  /** Bytes of the whole blob. */
  readonly size?: number | undefined;
  /** Strong validator for `If-Range`. */
  readonly etag?: string | undefined;
}
