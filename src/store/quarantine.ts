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
  /** Takes this file of a blob out of the store, with whatever the store remembers of it; another stays. */
  readonly remove: (digest: Digest, only: FileId) => Promise<boolean>;
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
    const kept = await this.#keep(digest);
    const found = await fileId(kept ?? layout.blob(digest));
    const isMeant = found !== undefined && (expected === undefined || found === expected);
    // A right one may have come into its place by now: the store looks again, while nothing changes.
    const isRemoved = isMeant && (await remove(digest, found));
    if (kept === undefined) return isRemoved;
    if (isRemoved) await this.#trim();
    else await rm(kept, { force: true });
    return isRemoved;
  }

  /**
   * Gives a blob another name here. Undefined where that cannot be, as on a full disk or without
   * hard links: that it goes out of service counts for more than that it is kept.
   */
  async #keep(digest: Digest): Promise<string | undefined> {
    const { algorithm, hex } = splitDigest(digest);
    try {
      const kept = await this.#place(`${algorithm}-${hex}`);
      await link(this.#options.layout.blob(digest), kept);
      return kept;
    } catch {
      return undefined;
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
