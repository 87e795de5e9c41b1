import { read, type Stats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { isMissing } from '../lib/atomic-file.ts';
import type { BufferPool } from '../lib/buffer-pool.ts';
import type { BlobReader } from './blob-reader.ts';
import { fileIdOf, type FileId } from './file-id.ts';
import { SharedBlocks } from './shared-blocks.ts';

/** A committed blob that is open once for all who read it. It outlives the blob's deletion. */
export class OpenFile {
  /** Bytes. */
  readonly size: number;
  readonly id: FileId;
  readonly #file: FileHandle;
  readonly #blocks: SharedBlocks;

  private constructor(file: FileHandle, stats: Stats, pool: BufferPool) {
    this.#file = file;
    this.size = stats.size;
    this.id = fileIdOf(stats);
    this.#blocks = new SharedBlocks((buffer, length, position, done) => {
      read(file.fd, buffer, 0, length, position, done);
    }, pool);
  }

  /** Opens a file, or gives undefined where there is none. */
  static async open(path: string, pool: BufferPool): Promise<OpenFile | undefined> {
    let file: FileHandle;
    try {
      file = await open(path, 'r');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    try {
      return new OpenFile(file, await file.stat(), pool);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * A new reader.
   * @param onUnused called when the last reader has left; the file is closed then
   */
  reader(onUnused: () => void): BlobReader {
    const { size, id } = this;
    const blocks = this.#blocks;
    blocks.join();
    return {
      size,
      fileId: id,
      available: (position) => Math.max(0, size - position),
      arrival: (position) => Promise.resolve(Math.max(0, size - position)),
      next: (position, max, pace, done) => blocks.next(position, max, size, pace, done),
      close: () => {
        blocks.leave();
        if (blocks.readers > 0) return;
        onUnused();
        this.close();
      },
    };
  }

  /** Closes a file that nobody reads. */
  close(): void {
    // A failing close of a file that was only read has nothing to lose and nobody to tell.
    this.#file.close().catch(() => undefined);
  }
}
