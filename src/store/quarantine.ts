import { createHash } from 'node:crypto';
import { copyFile, link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { isMissing } from '../lib/atomic-file.ts';
import { splitDigest, type Digest } from '../oci/digest.ts';
import type { Layout } from './layout.ts';
import { fileId, type FileId } from './file-id.ts';

export interface QuarantineOptions {
  readonly layout: Layout;
  /**
   * Bytes of all that is kept; beyond them the oldest goes first. 0 keeps nothing, Infinity loses
   * nothing.
   */
  readonly limit: number;
  /** Takes this file of a blob out of the store, with whatever the store remembers of it; another stays. */
  readonly remove: (digest: Digest, only: FileId) => Promise<boolean>;
}

/** A file in quarantine. */
interface Kept {
  readonly path: string;
  readonly isCopy: boolean;
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
    const before = await fileId(layout.blob(digest));
    const kept = await this.#keep(digest);
    // A copy is another file than what it was made of; what came between the two stays.
    const found = kept?.isCopy === false ? await fileId(kept.path) : before;
    const isMeant = found !== undefined && (expected === undefined || found === expected);
    // A right one may have come into its place by now: the store looks again, while nothing changes.
    const isRemoved = isMeant && (await remove(digest, found));
    if (kept === undefined) return isRemoved;
    if (isRemoved) await this.#trim();
    else await rm(kept.path, { force: true });
    return isRemoved;
  }

  /**
   * Gives a blob another name here. Undefined where that cannot be, as on a full disk or without
   * hard links: that it goes out of service counts for more than that it is kept. But where nothing
   * may be lost it is copied then, and stays in service where that fails, too.
   */
  async #keep(digest: Digest): Promise<Kept | undefined> {
    const { layout, limit } = this.#options;
    const { algorithm, hex } = splitDigest(digest);
    let path: string | undefined;
    try {
      path = await this.#place(`${algorithm}-${hex}`);
      await link(layout.blob(digest), path);
      return { path, isCopy: false };
    } catch (error) {
      if (limit !== Infinity || isMissing(error)) return undefined;
      if (path === undefined) throw error;
      await this.#copy(layout.blob(digest), path);
      return { path, isCopy: true };
    }
  }

  async #copy(from: string, to: string): Promise<void> {
    try {
      await copyFile(from, to);
    } catch (error) {
      await rm(to, { force: true }).catch(() => undefined);
      throw error;
    }
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
