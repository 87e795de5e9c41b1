import { read } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { BlobReader, ReadAt } from './blob-reader.ts';

/** Reads a committed blob. The open file outlives the blob's deletion. */
export class FileReader implements BlobReader {
  readonly size: number;
  readonly #file: FileHandle;

  private constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** Opens a regular file, or gives undefined where there is none. */
  static async open(path: string): Promise<FileReader | undefined> {
    let file: FileHandle;
    try {
      file = await open(path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return new FileReader(file, (await file.stat()).size);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  available(position: number): number {
    return Math.max(0, this.size - position);
  }

  view(): undefined {
    return undefined;
  }

  readonly read: ReadAt = (buffer, length, position, done) => {
    read(this.#file.fd, buffer, 0, length, position, done);
  };

  close(): void {
    // A failing close of a file that was only read has nothing to lose and nobody to tell.
    this.#file.close().catch(() => undefined);
  }
}
