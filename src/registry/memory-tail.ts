/** Bytes of one block: what a follower writes to its socket in one go. Best when measured. */
export const blockSize = 1024 * 1024;

/** Blocks that are kept behind the newest; a follower that is further behind reads the spool. */
const keptBlocks = 4;

interface Block {
  /** Offset of the first byte that was put in. */
  readonly first: number;
  /** Offset of the block's own beginning. */
  readonly start: number;
  readonly bytes: Buffer;
}

/**
 * The newest bytes of a download, still in memory, in blocks that are aligned to their size.
 * Followers at the live edge all write the same memory to their sockets, without a read and
 * without a copy of their own.
 */
export class MemoryTail {
  #blocks: Block[] = [];
  #end = 0;

  /** Adds the bytes that end at offset `end`. Bytes that do not continue the last ones start anew. */
  push(end: number, bytes: Buffer): void {
    let position = end - bytes.length;
    if (position !== this.#end) this.clear();
    for (let taken = 0; taken < bytes.length;) {
      const block = this.#blockFor(position);
      taken += bytes.copy(block.bytes, position - block.start, taken);
      position = end - bytes.length + taken;
    }
    this.#end = end;
  }

  /** What is at hand from `position` on, within one block and below `limit`. */
  view(position: number, limit: number): Buffer | undefined {
    const block = this.#blocks.findLast(({ start }) => start <= position);
    if (block === undefined || position < block.first) return undefined;
    const end = Math.min(limit, this.#end) - block.start;
    const start = position - block.start;
    return start < end && start < blockSize ? block.bytes.subarray(start, end) : undefined;
  }

  clear(): void {
    this.#blocks = [];
    this.#end = 0;
  }

  #blockFor(position: number): Block {
    const start = position - (position % blockSize);
    const last = this.#blocks.at(-1);
    if (last?.start === start) return last;
    // Never reused: a slow follower's socket may still hold a part of an old one.
    const block = { first: position, start, bytes: Buffer.allocUnsafeSlow(blockSize) };
    this.#blocks.push(block);
    if (this.#blocks.length > keptBlocks + 1) this.#blocks.shift();
    return block;
  }
}
