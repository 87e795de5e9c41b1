import { rename, rm } from 'node:fs/promises';
import { BulkFile } from '../lib/bulk-file.ts';
import { Digester, splitDigest, type Digest, type DigestAlgorithm } from '../oci/digest.ts';

/** A file that comes out of an archive: hashed while what came before is written. */
export class StagedFile {
  readonly #path: string;
  readonly #file: BulkFile;
  readonly #digester: Digester;

  private constructor(path: string, file: BulkFile, algorithm: DigestAlgorithm) {
    this.#path = path;
    this.#file = file;
    this.#digester = new Digester(algorithm);
  }

  /** @throws the disk's error */
  static async create(path: string, algorithm: DigestAlgorithm): Promise<StagedFile> {
    return new StagedFile(path, await BulkFile.open(path, 'w'), algorithm);
  }

  /** Bytes that were taken. */
  get size(): number {
    return this.#file.size;
  }

  /**
   * Takes bytes, which may change when it settles.
   * @throws the disk's error, perhaps about what was taken before
   */
  async write(bytes: Buffer): Promise<void> {
    await this.#file.write(bytes);
    this.#digester.update(bytes);
  }

  /** Waits for what is being written, and gives the digest of it all; no write after it. */
  async digest(): Promise<Digest> {
    await this.#file.settle();
    return this.#digester.digest();
  }

  /**
   * Syncs it and gives it its name.
   * @throws the disk's error
   */
  async keep(as: string): Promise<void> {
    try {
      await this.#file.sync();
    } finally {
      await this.#file.close();
    }
    await rename(this.#path, as);
  }

  /** Takes it away. Whatever goes wrong, somebody else tidies up. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    await rm(this.#path, { force: true }).catch(() => undefined);
  }
}

/** The name of a blob's file: no colon, which `rsync` and `scp` trip over. */
export function stagedName(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `${algorithm}-${hex}`;
}
