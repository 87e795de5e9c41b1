import type { Stats } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../lib/atomic-file.ts';
import { BulkFile } from '../lib/bulk-file.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BundleOutput } from './bundle-output.ts';

/**
 * A file that grows under another name beside its own, and gets its own when it is whole and synced.
 * What a killed process left under the other name is thrown away by the next.
 */
export class FileOutput implements BundleOutput {
  readonly #path: string;
  readonly #file: BulkFile;
  /** Which file it is, also when it is closed. */
  readonly #ours: Stats;

  private constructor(path: string, file: BulkFile, ours: Stats) {
    this.#path = path;
    this.#file = file;
    this.#ours = ours;
  }

  /** @throws the file system's error */
  static async create(path: string): Promise<FileOutput> {
    // Not opened to be overwritten: whoever may still be writing it writes into nothing then.
    await rm(partialOf(path), { force: true });
    const file = await BulkFile.open(partialOf(path), 'wx');
    try {
      return new FileOutput(path, file, await file.stat());
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  write(bytes: Buffer): Promise<void> {
    return this.#file.write(bytes);
  }

  async finish(): Promise<void> {
    await this.#file.sync();
    await this.#assertOurs();
    await this.#file.close();
    await rename(partialOf(this.#path), this.#path);
    await syncDirectory(dirname(this.#path));
  }

  async abandon(): Promise<void> {
    const isOurs = await this.#assertOurs().then(
      () => true,
      () => false,
    );
    await this.#file.close().catch(() => undefined);
    if (isOurs) await rm(partialOf(this.#path), { force: true }).catch(() => undefined);
  }

  /** Two at once on the same name: the later one has it. */
  async #assertOurs(): Promise<void> {
    const there = await stat(partialOf(this.#path)).catch(() => undefined);
    if (there?.ino === this.#ours.ino && there.dev === this.#ours.dev) return;
    throw new RegistryError('UNAVAILABLE', `somebody else writes ${this.#path} at the same time`);
  }
}

/** What a file is called while it grows. */
export function partialOf(path: string): string {
  return `${path}.partial`;
}
