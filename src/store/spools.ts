import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../lib/atomic-file.ts';
import type { Digest } from '../oci/digest.ts';
import type { Layout } from './layout.ts';

/** A download in progress, as far as its room on the disk goes. */
export interface GrowingSpool {
  /** Bytes that it takes, or will take, as soon as that is known. */
  readonly footprint: number;
  /** False once the disk has refused, and its bytes pass through memory. */
  readonly isKept: boolean;
}

/** A partial download that nobody is going on with. */
interface Leftover {
  readonly bytes: number;
  /** When it last grew, in milliseconds since the epoch. */
  readonly at: number;
}

/** The spool folder: what grows in it, and what was left behind. */
export class Spools {
  readonly #layout: Layout;
  readonly #growing = new Map<string, GrowingSpool>();
  readonly #leftovers = new Map<string, Leftover>();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Bytes of all spools, those included that running downloads have yet to receive. */
  get bytes(): number {
    let sum = 0;
    for (const { footprint } of this.#growing.values()) sum += footprint;
    for (const { bytes } of this.#leftovers.values()) sum += bytes;
    return sum;
  }

  /** Downloads in progress that pass through memory. */
  get passing(): number {
    let count = 0;
    for (const { isKept } of this.#growing.values()) if (!isKept) count++;
    return count;
  }

  /** Downloads in progress. */
  get growing(): number {
    return this.#growing.size;
  }

  /** Notes that a spool grows from now on. */
  opened(digest: Digest, spool: GrowingSpool): void {
    const name = this.#layout.spoolName(digest);
    this.#growing.set(name, spool);
    this.#leftovers.delete(name);
  }

  /**
   * Notes that it does not grow any more; what is left of it may be gone on with later. To be
   * called while nobody opens a spool of the same digest.
   */
  async closed(digest: Digest, spool: GrowingSpool): Promise<void> {
    const name = this.#layout.spoolName(digest);
    // Another may grow in its place: one that no longer touches the disk was overtaken.
    if (this.#growing.get(name) !== spool) return;
    this.#growing.delete(name);
    const isLeft = await this.#look(name);
    if (!isLeft) await this.#remove(name);
  }

  /** Bytes of leftovers that last grew before a time. */
  leftovers(before: number): number {
    let sum = 0;
    for (const { bytes, at } of this.#leftovers.values()) if (at < before) sum += bytes;
    return sum;
  }

  /**
   * Removes leftovers that last grew before a time, the oldest first.
   * @param enough bytes after which to stop
   * @param serially runs work on a digest's spool while nobody opens it
   * @returns bytes freed
   * @throws the disk's error
   */
  async removeLeftovers(
    before: number,
    enough: number,
    serially: (name: string, work: () => Promise<void>) => Promise<void>,
  ): Promise<number> {
    const oldest = [...this.#leftovers].toSorted(([, a], [, b]) => a.at - b.at);
    let freed = 0;
    for (const [name, { bytes, at }] of oldest) {
      if (at >= before || freed >= enough) break;
      await serially(name, async () => {
        // Somebody may have gone on with it in between.
        if (!this.#leftovers.delete(name)) return;
        try {
          await this.#remove(name);
        } catch (error) {
          // It still takes its room; but what is removed next is another one.
          this.#leftovers.set(name, { bytes, at: Date.now() });
          throw error;
        }
        freed += bytes;
      });
    }
    return freed;
  }

  /** Finds what earlier processes left behind. */
  async scan(): Promise<void> {
    for (const name of await entries(this.#layout.spool)) await this.#look(name);
  }

  /** Whether there is data. */
  async #look(name: string): Promise<boolean> {
    try {
      const { size, mtimeMs } = await stat(join(this.#layout.spool, name, 'data'));
      this.#leftovers.set(name, { bytes: size, at: mtimeMs });
      return true;
    } catch (error) {
      return !isMissing(error);
    }
  }

  async #remove(name: string): Promise<void> {
    await rm(join(this.#layout.spool, name), { recursive: true, force: true });
  }
}

async function entries(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
