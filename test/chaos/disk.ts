import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

/** A small disk of Baleen's own, in memory, that can be filled; a plain directory where nothing may be mounted. */
export class SmallDisk implements AsyncDisposable {
  /** Whether it can be filled. */
  readonly isMounted: boolean;
  readonly #directory: TempDir;

  private constructor(directory: TempDir, isMounted: boolean) {
    this.#directory = directory;
    this.isMounted = isMounted;
  }

  /** @param size in bytes */
  static make(size: number): SmallDisk {
    const directory = tempDir('disk');
    const place = join(directory.path, 'disk');
    mkdirSync(place);
    try {
      const options = ['-t', 'tmpfs', '-o', `size=${String(size)}`, 'tmpfs', place];
      execFileSync('mount', options, { stdio: 'ignore' });
      return new SmallDisk(directory, true);
    } catch {
      return new SmallDisk(directory, false);
    }
  }

  get path(): string {
    return join(this.#directory.path, 'disk');
  }

  /** Takes all the room that is left, in so far as nobody else takes it meanwhile. */
  async fill(): Promise<void> {
    if (!this.isMounted) return;
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

  /** Gives the room back. */
  async free(): Promise<void> {
    await rm(this.#filler, { force: true });
  }

  get #filler(): string {
    return join(this.path, 'filler');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#directory[Symbol.asyncDispose]();
  }
}
