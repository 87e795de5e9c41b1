import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * How much the store holds. Counted once behind the running service, so that a store of a
 * million blobs opens at once; changes made meanwhile are added to the count.
 */
export class StoreUsage {
  readonly #folder: string;
  #bytes = 0;
  #blobs = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Bytes of all committed blobs. */
  get bytes(): number {
    return this.#bytes;
  }

  get blobs(): number {
    return this.#blobs;
  }

  /** Notes that the store grew (or, negative, shrank). */
  added(bytes: number, blobs: number): void {
    this.#bytes += bytes;
    this.#blobs += blobs;
  }

  /** Counts what was committed before `startedAt` (ms since the epoch); call once. */
  async count(startedAt: number, signal: AbortSignal): Promise<void> {
    for (const algorithm of await entries(this.#folder)) {
      for (const prefix of await entries(join(this.#folder, algorithm))) {
        for (const name of await entries(join(this.#folder, algorithm, prefix))) {
          if (signal.aborted) return;
          const found = await stat(join(this.#folder, algorithm, prefix, name)).catch(() => null);
          if (found?.isFile() && found.ctimeMs < startedAt) this.added(found.size, 1);
        }
      }
    }
  }
}

async function entries(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}
