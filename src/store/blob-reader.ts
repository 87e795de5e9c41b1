import type { FileId } from './file-id.ts';

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

/** Some bytes of a blob, in memory that others may share and that is used again once given back. */
export interface Piece {
  readonly bytes: Buffer;
  /** To be called once, when nobody reads the bytes any more. */
  release(): void;
}

/** Told of a piece that had to be read first. */
export type PieceCallback = (error: Error | null, piece: Piece | undefined) => void;

/**
 * How well the one who reads keeps up, which decides how much memory it may hold:
 * `new` not known yet, `swift` as much as there is, `slow` as little as possible.
 */
export type Pace = 'new' | 'swift' | 'slow';

/**
 * Bytes at any position, some of which may still be on their way. The send loop reads committed
 * blobs and running downloads through this one interface.
 */
export interface BlobReader {
  /** Bytes of the whole; undefined only while a download's upstream has not told its length. */
  readonly size: number | undefined;
  /** Which file is read, where it is that of a committed blob. */
  readonly fileId?: FileId | undefined;
  /** How many bytes can be read at `position` right now; 0 where there are none, or none yet. */
  available(position: number): number;
  /** Settles with how many there are as soon as there are some, or with 0 at the end; rejects where they will never come. */
  arrival(position: number): Promise<number>;
  /**
   * The next bytes at `position`: one at least and `max` at most, which must be available. At once
   * where they are in memory; else undefined, and `done` is called once they have been read.
   * One call at a time.
   */
  next(position: number, max: number, pace: Pace, done: PieceCallback): Piece | undefined;
  /** Ends the reading; to be called once, when no call of `next` is under way. */
  close(): void;
}
