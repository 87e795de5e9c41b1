import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { Digester, splitDigest, type Digest, type DigestAlgorithm } from '../oci/digest.ts';

/**
 * Bytes after which those written so far are synced, beside what goes on: the end of a very large file has
 * little left to do then, and the kernel can use the memory again that they took.
 */
const usualSyncInterval = 64 * 1024 * 1024;

/**
 * A file that comes out of an archive: hashed while what came before is written and what comes next is
 * read.
 */
export class StagedFile {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #digester: Digester;
  readonly #syncInterval: number;
  #size = 0;
  #synced = 0;
  #writing: Promise<unknown> = Promise.resolve();
  #syncing: Promise<unknown> | undefined;
  /** What the disk said meanwhile. */
  #failure: { readonly error: unknown } | undefined;

  private constructor(
    path: string,
    file: FileHandle,
    algorithm: DigestAlgorithm,
    syncInterval: number,
  ) {
    this.#path = path;
    this.#file = file;
    this.#digester = new Digester(algorithm);
    this.#syncInterval = syncInterval;
  }

  /**
   * @param syncInterval bytes between two syncs
   * @throws the disk's error
   */
  static async create(
    path: string,
    algorithm: DigestAlgorithm,
    syncInterval = usualSyncInterval,
  ): Promise<StagedFile> {
    return new StagedFile(path, await open(path, 'w'), algorithm, syncInterval);
  }

  /** Bytes that were taken. */
  get size(): number {
    return this.#size;
  }

  /**
   * Takes bytes, which have to stay as they are until the call after this one has settled.
   * @throws the disk's error, perhaps about what was taken before
   */
  async write(bytes: Buffer): Promise<void> {
    const at = this.#size;
    this.#size += bytes.length;
    const before = this.#writing;
    // In the thread pool while this thread hashes.
    const writing = before.then(() => writeAll(this.#file, bytes, at));
    writing.catch(() => undefined);
    this.#writing = writing;
    this.#digester.update(bytes);
    await before;
    if (at - this.#synced >= this.#syncInterval && this.#syncing === undefined) this.#sync(at);
  }

  /** Waits for what is being written, and gives the digest of it all; no write after it. */
  async digest(): Promise<Digest> {
    await this.#writing;
    return this.#digester.digest();
  }

  /**
   * Syncs it and gives it its name.
   * @throws the disk's error
   */
  async keep(as: string): Promise<void> {
    try {
      await this.#syncing;
      await this.#file.datasync();
      // A later sync does not tell again what an earlier one failed with.
      if (this.#failure !== undefined) throw this.#failure.error;
    } finally {
      await this.#file.close();
    }
    await rename(this.#path, as);
  }

  /** Takes it away. Whatever goes wrong, somebody else tidies up. */
  async discard(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#syncing;
    await this.#file.close().catch(() => undefined);
    await rm(this.#path, { force: true }).catch(() => undefined);
  }

  #sync(upTo: number): void {
    this.#syncing = this.#file
      .datasync()
      .catch((error: unknown) => void (this.#failure = { error }))
      .finally(() => {
        this.#synced = upTo;
        this.#syncing = undefined;
      });
  }
}

/** The name of a blob's file: no colon, which `rsync` and `scp` trip over. */
export function stagedName(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `${algorithm}-${hex}`;
}

async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const rest = bytes.length - written;
    written += (await file.write(bytes, written, rest, at + written)).bytesWritten;
  }
}
