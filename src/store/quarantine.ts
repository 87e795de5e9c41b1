import { createHash } from 'node:crypto';
import { link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { isMissing } from '../lib/atomic-file.ts';
import { splitDigest, type Digest } from '../oci/digest.ts';
import type { Layout } from './layout.ts';
import { fileId, type FileId } from './file-id.ts';

export interface QuarantineOptions {
  readonly layout: Layout;
  /** Bytes of all that is kept; beyond them the oldest goes first. 0 keeps nothing. */
  readonly limit: number;
  /** Takes a blob out of the store, with whatever the store remembers of it. */
  readonly remove: (digest: Digest) => Promise<boolean>;
}

/**
 * Where files go that turned out to be wrong: out of service, but there for a look. Named
 * `<time>_sha256-<hex>`, so that `ls` shows the oldest first.
 */
export class Quarantine {
  readonly folder: string;
  readonly #options: QuarantineOptions;
  /** Milliseconds since the epoch: no two files get the same time, so that their order is clear. */
  #last = 0;

  constructor(options: QuarantineOptions) {
    this.#options = options;
    this.folder = join(options.layout.root, 'quarantine');
  }

  /**
   * Takes a blob out of the store. Who is reading it goes on.
   * @param expected the file that was found wrong: another one in its place stays
   * @returns whether there was one
   */
  async takeBlob(digest: Digest, expected?: FileId): Promise<boolean> {
    const { layout, remove } = this.#options;
    const { algorithm, hex } = splitDigest(digest);
    const kept = await this.#place(`${algorithm}-${hex}`);
    try {
      await link(layout.blob(digest), kept);
    } catch (error) {
      if (isMissing(error)) return false;
      // A file system without hard links: out of service counts for more than kept.
      if (expected !== undefined && (await fileId(layout.blob(digest))) !== expected) return false;
      return remove(digest);
    }
    if (expected !== undefined && (await fileId(kept)) !== expected) {
      await rm(kept, { force: true });
      return false;
    }
    const isRemoved = await remove(digest);
    await this.#trim();
    return isRemoved;
  }

  /** Takes any other file of the data folder; whether there was one. */
  async takeFile(path: string): Promise<boolean> {
    const { layout } = this.#options;
    const id = createHash('sha256').update(relative(layout.root, path)).digest('hex');
    const kept = await this.#place(`record-${id.slice(0, 12)}-${basename(path).slice(0, 150)}`);
    try {
      await rename(path, kept);
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
    await this.#trim();
    return true;
  }

  async #place(name: string): Promise<string> {
    await mkdir(this.folder, { recursive: true });
    this.#last = Math.max(Date.now(), this.#last + 1);
    // No colons: some file systems and tools do not take them.
    const time = new Date(this.#last).toISOString().replaceAll(':', '');
    return join(this.folder, `${time}_${name}`);
  }

  async #trim(): Promise<void> {
    const names = (await readdir(this.folder)).toSorted().toReversed();
    let bytes = 0;
    for (const name of names) {
      const path = join(this.folder, name);
      const size = (await stat(path).catch(() => undefined))?.size ?? 0;
      // One that is too large by itself does not drive out all others.
      if (bytes + size <= this.#options.limit) bytes += size;
      else await rm(path, { recursive: true, force: true });
    }
  }
}
