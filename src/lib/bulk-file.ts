import { constants, type Stats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { takeBlocks, type Blocks } from './aligned-blocks.ts';

/** Bytes after which a file that goes through the page cache is synced, beside what goes on. */
const syncInterval = 64 * 1024 * 1024;

/**
 * A large file that is written from its beginning to its end, in few and large pieces, while its writer
 * does something else.
 *
 * Past the kernel's page cache where the file system allows it (`O_DIRECT`): gigabytes that nobody reads
 * again soon would push out what clients pull, and copying them there is most of the work. Where it does
 * not, they are synced as they come. Small files and the end of large ones always go through the cache.
 *
 * What the disk fails with, the next call says. Close it in every case.
 */
export class BulkFile {
  readonly #file: FileHandle;
  readonly #syncInterval: number;
  /** The same file past the page cache; undefined until it is tried, null where that cannot be. */
  #direct: FileHandle | null | undefined;
  #isDirect = true;
  #blocks: Blocks | undefined;
  /** What is filled next. */
  #block: Buffer | undefined;
  #filled = 0;
  /** Where that block goes. */
  #position = 0;
  readonly #writing = new Set<Promise<void>>();
  #unsynced = 0;
  #syncing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isSettled = false;

  private constructor(file: FileHandle, interval: number) {
    this.#file = file;
    this.#syncInterval = interval;
  }

  /**
   * @param flags `w` to empty what is there, `wx` to fail where something is
   * @param interval bytes between two syncs of what goes through the page cache
   * @throws the file system's error
   */
  static async open(path: string, flags: 'w' | 'wx', interval = syncInterval): Promise<BulkFile> {
    return new BulkFile(await open(path, flags), interval);
  }

  /** Bytes that were taken. */
  get size(): number {
    return this.#position + this.#filled;
  }

  /** Which file it is. @throws the file system's error */
  stat(): Promise<Stats> {
    return this.#file.stat();
  }

  /**
   * Takes bytes, which may change when it settles. Never called twice at once.
   * @throws the disk's error, perhaps about what was taken before
   */
  async write(bytes: Buffer): Promise<void> {
    this.#assertNoFailure();
    if (this.#isSettled) throw new Error('nothing is written behind the end of a file');
    for (let at = 0; at < bytes.length;) {
      const block = (this.#block ??= await this.#free());
      const count = bytes.copy(block, this.#filled, at);
      at += count;
      this.#filled += count;
      if (this.#filled === block.length) await this.#send(block);
    }
    this.#assertNoFailure();
  }

  /** Settles when all that was taken has been written; no write after it. @throws the disk's error */
  async settle(): Promise<void> {
    this.#isSettled = true;
    if (this.#block !== undefined && this.#failure === undefined) {
      this.#begin(this.#file, this.#block, this.#filled);
    }
    this.#block = undefined;
    await Promise.all(this.#writing);
    this.#blocks?.giveBack();
    this.#blocks = undefined;
    this.#assertNoFailure();
  }

  /** Settles when all of it is on the disk; no write after it. @throws the disk's error */
  async sync(): Promise<void> {
    await this.settle();
    await this.#syncing;
    await this.#file.datasync();
    // A later sync does not tell again what an earlier one failed with.
    this.#assertNoFailure();
  }

  /** Lets it go as it is. @throws the disk's error */
  async close(): Promise<void> {
    this.#block = undefined;
    await Promise.all([...this.#writing, this.#syncing]);
    this.#blocks?.giveBack();
    this.#blocks = undefined;
    // Whatever it says: what it wrote is judged by the sync of the other.
    await this.#direct?.close().catch(() => undefined);
    await this.#file.close();
  }

  /** A block that nothing is being written from. */
  async #free(): Promise<Buffer> {
    this.#blocks ??= takeBlocks();
    for (;;) {
      const block = this.#blocks.free.pop();
      if (block !== undefined) return block;
      await Promise.race(this.#writing);
    }
  }

  async #send(block: Buffer): Promise<void> {
    if (this.#direct === undefined) {
      this.#direct = this.#blocks?.isAligned === true ? await this.#openDirect() : null;
    }
    this.#block = undefined;
    this.#begin(this.#isDirect ? (this.#direct ?? this.#file) : this.#file, block, block.length);
    this.#position += block.length;
    this.#filled = 0;
  }

  async #openDirect(): Promise<FileHandle | null> {
    try {
      // By its descriptor: another file may have its name by now.
      const itself = `/proc/self/fd/${this.#file.fd}`;
      return await open(itself, constants.O_WRONLY | constants.O_DIRECT);
    } catch {
      // This file system has no such thing, or this system no such folder.
      return null;
    }
  }

  #begin(file: FileHandle, block: Buffer, length: number): void {
    const { free } = this.#blocks!;
    const at = this.#position;
    const writing: Promise<void> = this.#put(file, block, length, at)
      .catch((error: unknown) => void (this.#failure ??= { error }))
      .finally(() => {
        free.push(block);
        this.#writing.delete(writing);
      });
    this.#writing.add(writing);
  }

  async #put(file: FileHandle, block: Buffer, length: number, at: number): Promise<void> {
    if (file !== this.#file) {
      try {
        await writeAll(file, block, length, at);
        return;
      } catch (error) {
        // Allowed at first, but not so: a device with larger sectors, a network file system.
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'EINVAL' && code !== 'EOPNOTSUPP') throw error;
        this.#isDirect = false;
      }
    }
    await writeAll(this.#file, block, length, at);
    this.#unsynced += length;
    if (this.#unsynced >= this.#syncInterval && this.#syncing === undefined) this.#syncNow();
  }

  #syncNow(): void {
    this.#unsynced = 0;
    this.#syncing = this.#file
      .datasync()
      .catch((error: unknown) => void (this.#failure ??= { error }))
      .finally(() => (this.#syncing = undefined));
  }

  #assertNoFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

async function writeAll(
  file: FileHandle,
  bytes: Buffer,
  length: number,
  at: number,
): Promise<void> {
  for (let written = 0; written < length;) {
    const { bytesWritten } = await file.write(bytes, written, length - written, at + written);
    if (bytesWritten === 0)
      throw new Error('EIO: the file system takes no more bytes, and does not say why');
    written += bytesWritten;
  }
}
