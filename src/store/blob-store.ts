import type { Digest } from '../oci/digest.ts';
import type { BlobReader } from './blob-reader.ts';
import type { BlobWriter } from './blob-writer.ts';
import type { FileId } from './file-id.ts';

/**
 * Content-addressed blobs, manifests included. What is here was verified before it became
 * visible, and is never changed.
 */
export interface BlobStore {
  /** The size in bytes, or undefined where the blob is not here. */
  stat(digest: Digest): Promise<number | undefined>;
  /** Opens a blob for reading, or gives undefined. The reader stays good when the blob is deleted. Close it. */
  open(digest: Digest): Promise<BlobReader | undefined>;
  /** The whole of a small blob (a manifest), or undefined where it is not here or has more bytes than `limit`. */
  read(digest: Digest, limit: number): Promise<Buffer | undefined>;
  /** Commits a small blob in one go. The caller has verified the digest. */
  put(digest: Digest, bytes: Buffer): Promise<void>;
  /**
   * Starts a blob, or goes on with what an earlier writer of the same digest left behind.
   * One writer a digest at a time; the caller sees to that.
   */
  create(digest: Digest, signal: AbortSignal): Promise<BlobWriter>;
  /** Notes that a blob was of use, as one that is answered from memory is. Costs no disk. */
  used(digest: Digest): void;
  /**
   * Whether there was one. Readers that have it open keep it.
   * @param only the file that is to go, where that is known: another one in its place stays
   */
  delete(digest: Digest, only?: FileId): Promise<boolean>;
}
