/**
 * Reads at most `length` bytes at `position` into the front of `buffer`. A callback rather than a
 * promise: it is called for every half megabyte that is sent.
 */
export type ReadAt = (
  buffer: Buffer,
  length: number,
  position: number,
  done: (error: Error | null, bytesRead: number) => void,
) => void;

/**
 * Bytes at any position, some of which may still be on their way. The send loop reads committed
 * blobs and running downloads through this one interface.
 */
export interface BlobReader {
  /** Bytes of the whole; undefined only while a download's upstream has not told its length. */
  readonly size: number | undefined;
  /**
   * How many bytes can be read at `position` right now. A promise where the answer is "none yet":
   * it settles when there are some, or with 0 at the end, or rejects where they will never come.
   */
  available(position: number): number | Promise<number>;
  /**
   * Bytes at `position` that happen to be in memory, shared and not to be changed; undefined
   * where they have to be read. Never longer than `available(position)`.
   */
  view(position: number): Buffer | undefined;
  /** `position + length` must be available. */
  readonly read: ReadAt;
  /** Ends the reading; to be called once, after the last read has come back. */
  close(): void;
}
