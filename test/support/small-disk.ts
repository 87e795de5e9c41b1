import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir, type TempDir } from './temp-dir.ts';

/** A file system in memory of a size that a test can fill, and that can be made read-only. Needs root. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string;
  readonly #folder: TempDir;

  /** @param mebibytes its size */
  constructor(mebibytes: number) {
    this.#folder = tempDir('disk');
    this.path = join(this.#folder.path, 'mounted');
    mkdirSync(this.path);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', this.path]);
  }

  /** Takes all the room that is left, in so far as nobody else takes it meanwhile. */
  async fill(): Promise<void> {
    const file = await open(this.#filler, 'a');
    try {
      for (const size of [1024 * 1024, 4096]) {
        const bytes = Buffer.alloc(size, 1);
        try {
          for (;;) await file.appendFile(bytes);
        } catch {
          // Full.
        }
      }
    } finally {
      await file.close();
    }
  }

  /** Gives that room back. */
  async free(): Promise<void> {
    await rm(this.#filler, { force: true });
  }

  get #filler(): string {
    return join(this.path, 'filler');
  }

  resize(mebibytes: number): void {
    this.#remount(`size=${mebibytes}m`);
  }

  setReadOnly(isReadOnly: boolean): void {
    this.#remount(isReadOnly ? 'ro' : 'rw');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Unmounts what is mounted in it.
    await this.#folder[Symbol.asyncDispose]();
  }

  #remount(option: string): void {
    execFileSync('mount', ['-o', `remount,${option}`, this.path]);
  }
}
