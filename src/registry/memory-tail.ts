/** Bytes of the newest blocks that are kept; a follower that is further behind reads the spool. */
const capacity = 1024 * 1024;

/**
 * The newest bytes of a download, still in memory. Followers at the live edge all write the same
 * buffers to their sockets, without a read and without a copy of their own.
 */
export class MemoryTail {
  readonly #blocks: { start: number; bytes: Buffer }[] = [];
  #length = 0;

  /** Adds the block that ends at offset `end`. */
  push(end: number, bytes: Buffer): void {
    this.#blocks.push({ start: end - bytes.length, bytes });
    this.#length += bytes.length;
    while (this.#length > capacity && this.#blocks.length > 1) {
      this.#length -= this.#blocks.shift()!.bytes.length;
    }
  }

  /** What is at hand from `position` on, within one block and below `limit`. */
  view(position: number, limit: number): Buffer | undefined {
    for (let index = this.#blocks.length - 1; index >= 0; index--) {
      const { start, bytes } = this.#blocks[index]!;
      if (position < start) continue;
      if (position >= start + bytes.length || position >= limit) return undefined;
      return bytes.subarray(position - start, limit - start);
    }
    return undefined;
  }

  clear(): void {
    this.#blocks.length = 0;
    this.#length = 0;
  }
}
