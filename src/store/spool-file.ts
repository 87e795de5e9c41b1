import { read, writev } from 'node:fs';
import { mkdir, open, readFile, rm, rmdir, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { moveIntoPlace } from '../lib/atomic-file.ts';
import type { ReadAt } from './blob-reader.ts';
import type { SpoolOrigin } from './blob-writer.ts';

const writevAsync = promisify(writev);

/** Bytes read at once when a spool that was left behind is hashed again. */
const rehashChunk = 1024 * 1024;

/** `spool/<digest>/data`, with what is known of its origin in `origin.json`. */
export class SpoolFile {
  readonly #folder: string;
  #file: FileHandle;
  #length = 0;
  /** Why its bytes are not to be trusted. */
  #lost: Error | undefined;

  private constructor(folder: string, file: FileHandle) {
    this.#folder = folder;
    this.#file = file;
  }

  /** Opens the spool in a folder; what is in it counts only once it was read back. */
  static async open(folder: string): Promise<SpoolFile> {
    await makeFolder(folder);
    try {
      return new SpoolFile(folder, await openData(folder));
    } catch (error) {
      // Nothing but an empty folder goes: there may be bytes that an earlier process left.
      await rmdir(folder).catch(() => undefined);
      throw error;
    }
  }

  /** Bytes that were written, or read back. */
  get length(): number {
    return this.#length;
  }

  /**
   * Reads back what an earlier process left, and goes on behind it.
   * @param limit bytes; a file with more is of no use and left unread
   * @returns whether it was of use
   */
  async readBack(
    limit: number,
    take: (bytes: Buffer) => void,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { size } = await this.#file.stat();
    if (size > limit) return false;
    const buffer = Buffer.allocUnsafe(Math.min(rehashChunk, size));
    while (this.#length < size) {
      signal.throwIfAborted();
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#length);
      if (bytesRead === 0) break;
      take(buffer.subarray(0, bytesRead));
      this.#length += bytesRead;
    }
    return true;
  }

  /**
   * Appends.
   * @throws the disk's error; `length` tells how much was written before it
   */
  async append(chunks: readonly Buffer[]): Promise<void> {
    let left = chunks;
    while (left.length > 0) {
      const { bytesWritten } = await writevAsync(this.#file.fd, left);
      left = dropBytes(left, bytesWritten);
      this.#length += bytesWritten;
    }
  }

  readonly read: ReadAt = (buffer, length, position, done) => {
    if (this.#lost !== undefined) {
      setImmediate(done, this.#lost, 0);
      return;
    }
    read(this.#file.fd, buffer, 0, length, position, done);
  };

  async readOrigin(): Promise<SpoolOrigin> {
    try {
      const text = await readFile(join(this.#folder, 'origin.json'), 'utf8');
      const { size, etag } = JSON.parse(text) as Record<string, unknown>;
      return {
        size: Number.isSafeInteger(size) ? (size as number) : undefined,
        etag: typeof etag === 'string' ? etag : undefined,
      };
    } catch {
      // Written without fsync: after a crash it may be missing or torn. The bytes are still good
      // for a resume without If-Range, and the digest decides in the end.
      return {};
    }
  }

  async writeOrigin(origin: SpoolOrigin): Promise<void> {
    await writeFile(join(this.#folder, 'origin.json'), JSON.stringify(origin));
  }

  /**
   * Makes the bytes durable. Where that fails the system may drop what it has not written, and give
   * back what the disk holds instead: nothing is read from the file any more, and it is removed.
   */
  async sync(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (error) {
      this.#lost = error as Error;
      await this.remove().catch(() => undefined);
      throw error;
    }
  }

  /** Moves the file to its final path, durably, and removes the rest. It stays open. */
  async moveTo(path: string): Promise<void> {
    await moveIntoPlace(join(this.#folder, 'data'), path);
    await this.remove();
  }

  /** Begins again. A new file, not a shorter one: readers of an earlier download may still be reading the old. */
  async renew(): Promise<void> {
    await rm(join(this.#folder, 'data'), { force: true });
    const old = this.#file;
    this.#file = await openData(this.#folder);
    this.#length = 0;
    await old.close();
  }

  /** Removes it from its folder; whoever has it open can read on. */
  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Not recursively where that is not needed: it says ENOENT where the disk is read-only. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') await mkdir(folder, { recursive: true });
    else if (code !== 'EEXIST') throw error;
  }
}

/** 'a+' creates without truncating and appends; reads give their own position. */
function openData(folder: string): Promise<FileHandle> {
  return open(join(folder, 'data'), 'a+');
}

/** The chunks without their first `count` bytes. */
export function dropBytes(chunks: readonly Buffer[], count: number): readonly Buffer[] {
  let left = count;
  for (const [index, chunk] of chunks.entries()) {
    if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(index + 1)];
    left -= chunk.length;
  }
  return [];
}
