import { mkdirSync, watch, type FSWatcher } from 'node:fs';
import { readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Sees which committed blobs come and go, from outside: the kernel tells of every file that is
 * renamed into or removed from the folders of the store.
 */
export class BlobWatch implements Disposable {
  readonly #root: string;
  readonly #watchers: FSWatcher[] = [];
  readonly #changes = new Map<string, number>();

  /** @param dataDirectory in which there is no store yet, or one that stands still */
  constructor(dataDirectory: string) {
    this.#root = join(dataDirectory, 'v1/blobs/sha256');
    for (let prefix = 0; prefix < 256; prefix += 1) {
      const folder = join(this.#root, prefix.toString(16).padStart(2, '0'));
      mkdirSync(folder, { recursive: true });
      this.#watchers.push(
        watch(folder, (event, name) => {
          if (event !== 'rename' || name === null) return;
          const digest = `sha256:${name}`;
          this.#changes.set(digest, (this.#changes.get(digest) ?? 0) + 1);
        }),
      );
    }
  }

  /** How often a blob was removed so far: of what comes and goes in turn, every second change. */
  removals(digest: string): number {
    return Math.floor((this.#changes.get(digest) ?? 0) / 2);
  }

  /** Removals of all blobs. */
  get total(): number {
    return [...this.#changes.keys()].reduce((sum, digest) => sum + this.removals(digest), 0);
  }

  /** Removes a committed blob, or cuts it short; whether there was one. */
  async damage(digest: string, removes: boolean): Promise<boolean> {
    const name = digest.replace('sha256:', '');
    const path = join(this.#root, name.slice(0, 2), name);
    try {
      const { size } = await stat(path);
      if (removes) await rm(path);
      else await truncate(path, Math.floor(size / 2));
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Bytes of committed blobs that the disk held at one moment, at least. A walk alone may count a file
   * that goes meanwhile and the one that comes in its place; what two walks find was there between them.
   */
  async bytes(): Promise<number> {
    const before = await this.#walk();
    const after = await this.#walk();
    let sum = 0;
    for (const [file, size] of after) if (before.has(file)) sum += size;
    return sum;
  }

  /** The size of each committed file; one that was replaced is another one. */
  async #walk(): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    for (const prefix of await readdir(this.#root)) {
      for (const name of await readdir(join(this.#root, prefix))) {
        const found = await stat(join(this.#root, prefix, name)).catch(() => undefined);
        if (found === undefined) continue;
        sizes.set(`${name} ${String(found.ino)} ${String(found.birthtimeMs)}`, found.size);
      }
    }
    return sizes;
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers) watcher.close();
  }
}
