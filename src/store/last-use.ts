import { utimes } from 'node:fs/promises';
import { isMissing } from '../lib/atomic-file.ts';
import type { Digest } from '../oci/digest.ts';

/*
 * When each blob was last used. On disk it is the file's modification time, which nothing else
 * needs: a committed blob never changes. What was used lately is noted in memory and written in
 * batches, so that no read ever costs a write; a crash forgets a minute of it.
 */
export class LastUse {
  readonly #pathOf: (digest: Digest) => string;
  readonly #noted = new Map<Digest, number>();

  constructor(pathOf: (digest: Digest) => string) {
    this.#pathOf = pathOf;
  }

  /** Notes that a blob is used now. */
  note(digest: Digest): void {
    this.#noted.set(digest, Date.now());
  }

  /** When it was used, where that is not on disk yet; milliseconds since the epoch. */
  noted(digest: Digest): number | undefined {
    return this.#noted.get(digest);
  }

  /**
   * Brings the disk up to date.
   * @throws the disk's first failure, after the others; what could not be written stays noted
   */
  async flush(): Promise<void> {
    // Not what is noted meanwhile: that would have no end.
    const noted = [...this.#noted];
    const failures: unknown[] = [];
    for (const [digest, usedAt] of noted) {
      const time = new Date(usedAt);
      try {
        await utimes(this.#pathOf(digest), time, time);
      } catch (error) {
        // Deleted meanwhile, or a manifest that is only in memory.
        if (!isMissing(error)) {
          failures.push(error);
          continue;
        }
      }
      if (this.#noted.get(digest) === usedAt) this.#noted.delete(digest);
    }
    if (failures.length > 0) throw failures[0];
  }
}
