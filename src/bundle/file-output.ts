import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../lib/atomic-file.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BundleOutput } from './bundle-output.ts';

/**
 * Bytes after which the disk is asked to write: the end need not wait for all of it then, and the kernel
 * can use the memory again that they took.
 */
const syncedAtOnce = 64 * 1024 * 1024;

/**
 * A file that grows under another name beside its own, and gets its own when it is whole and synced.
 * What a killed process left under the other name is thrown away by the next.
 */
export class FileOutput implements BundleOutput {
  readonly #path: string;
  readonly #file: FileHandle;
  #unsynced = 0;
  #syncing: Promise<void> | undefined;
  /** What the disk said meanwhile. */
  #failure: { readonly error: unknown } | undefined;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** @throws the file system's error */
  static async create(path: string): Promise<FileOutput> {
    // Not opened to be overwritten: whoever may still be writing it writes into nothing then.
    await rm(partialOf(path), { force: true });
    return new FileOutput(path, await open(partialOf(path), 'wx'));
  }

  async write(bytes: Buffer): Promise<void> {
    await writeAll(this.#file, bytes);
    this.#unsynced += bytes.length;
    if (this.#unsynced >= syncedAtOnce && this.#syncing === undefined) {
      this.#unsynced = 0;
      this.#syncing = this.#file
        .datasync()
        .catch((error: unknown) => void (this.#failure = { error }))
        .finally(() => (this.#syncing = undefined));
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async finish(): Promise<void> {
    await this.#syncing;
    await this.#file.sync();
    // A later sync does not tell again what an earlier one failed with.
    if (this.#failure !== undefined) throw this.#failure.error;
    await this.#assertOurs();
    await this.#file.close();
    await rename(partialOf(this.#path), this.#path);
    await syncDirectory(dirname(this.#path));
  }

  async abandon(): Promise<void> {
    await this.#syncing;
    const isOurs = await this.#assertOurs().then(
      () => true,
      () => false,
    );
    await this.#file.close().catch(() => undefined);
    if (isOurs) await rm(partialOf(this.#path), { force: true }).catch(() => undefined);
  }

  /** Two at once on the same name: the later one has it. */
  async #assertOurs(): Promise<void> {
    const ours = await this.#file.stat();
    const there = await stat(partialOf(this.#path)).catch(() => undefined);
    if (there?.ino === ours.ino && there.dev === ours.dev) return;
    throw new RegistryError('UNAVAILABLE', `somebody else writes ${this.#path} at the same time`);
  }
}

/** What a file is called while it grows. */
export function partialOf(path: string): string {
  return `${path}.partial`;
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}
