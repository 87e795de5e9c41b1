import type { Stats } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { isMissing } from '../lib/atomic-file.ts';
import { Serial } from '../lib/serial.ts';
import type { Digest } from '../oci/digest.ts';
import type { Layout } from './layout.ts';
import type { StoreUsage } from './usage.ts';

/** Puts blobs into their place and takes them away, one change at a time to each, and keeps account. */
export class PlacedBlobs {
  readonly #layout: Layout;
  readonly #usage: StoreUsage;
  readonly #serial = new Serial();

  constructor(layout: Layout, usage: StoreUsage) {
    this.#layout = layout;
    this.#usage = usage;
  }

  /** Runs work while nothing else changes the files of this digest, its spool included. */
  serially<T>(digest: string, work: () => Promise<T>): Promise<T> {
    return this.#serial.run([digest], work);
  }

  /**
   * Puts a file of so many bytes into its place.
   * @param put given the path where it belongs
   */
  place(digest: Digest, bytes: number, put: (path: string) => Promise<void>): Promise<void> {
    const path = this.#layout.blob(digest);
    return this.serially(digest, () =>
      this.#usage.change(digest, async () => {
        const replaced = await stat(path).catch(() => undefined);
        await put(path);
        return { bytes: bytes - (replaced?.size ?? 0), blobs: replaced === undefined ? 1 : 0 };
      }),
    );
  }

  /**
   * Takes a blob away.
   * @param decide given what the file system says of it, whether to; nobody puts another one into
   *   its place meanwhile
   * @returns its size; undefined where there was none, or it stays
   */
  async remove(
    digest: Digest,
    decide: (stats: Stats) => boolean = () => true,
  ): Promise<number | undefined> {
    const path = this.#layout.blob(digest);
    let removed: number | undefined;
    await this.serially(digest, () =>
      this.#usage.change(digest, async () => {
        try {
          const stats = await stat(path);
          if (!decide(stats)) return undefined;
          await rm(path);
          removed = stats.size;
          return { bytes: -stats.size, blobs: -1 };
        } catch (error) {
          if (isMissing(error)) return undefined;
          throw error;
        }
      }),
    );
    return removed;
  }
}
