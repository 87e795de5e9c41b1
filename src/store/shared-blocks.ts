import { largeBuffer, smallBuffer, type BufferPool } from '../lib/buffer-pool.ts';
import type { Pace, Piece, PieceCallback, ReadAt } from './blob-reader.ts';
import { ContentCutShort } from './damage.ts';

/*
 * Blocks of one blob that several readers want at about the same time, as when a fleet pulls a new
 * image: each is read once, and all of them write the same memory to their sockets. A download
 * puts its newest bytes in as they arrive, so that its followers read nothing at all.
 *
 * A lone reader shares with nobody and reads into a buffer of its own. So does a slow one: it
 * would keep a whole block from being used again for what little it takes at a time. All memory
 * is the pool's; where the pool has no large buffer left, everyone reads into small ones.
 */

/**
 * Blocks that are kept, in use or not, for those who come a little later: one for each reader, who
 * are spread the wider the more they are, between these bounds.
 */
const fewestKept = 8;
const mostKept = 32;

interface Waiting {
  readonly position: number;
  readonly max: number;
  readonly done: PieceCallback;
}

/** One aligned block; the bytes of the blob from `from` to `to` are in it. */
interface Block {
  readonly start: number;
  readonly buffer: Buffer;
  from: number;
  to: number;
  users: number;
  /** Those who wait while it is being read; undefined while it is not. */
  waiting: Waiting[] | undefined;
  isDropped: boolean;
}

/** The blocks of one blob, and its readers. */
export class SharedBlocks {
  readonly #readAt: ReadAt;
  readonly #pool: BufferPool;
  /** The least recently used first. */
  readonly #blocks = new Map<number, Block>();
  #readers = 0;

  constructor(readAt: ReadAt, pool: BufferPool) {
    this.#readAt = readAt;
    this.#pool = pool;
  }

  get readers(): number {
    return this.#readers;
  }

  join(): void {
    this.#readers++;
  }

  leave(): void {
    this.#readers--;
    if (this.#readers < 2) this.clear();
  }

  /** See {@link BlobReader.next}; bytes before `limit` are readable. */
  next(
    position: number,
    max: number,
    limit: number,
    pace: Pace,
    done: PieceCallback,
  ): Piece | undefined {
    if (this.#readers < 2 || pace === 'slow') {
      this.#readAlone(position, max, pace, done);
      return undefined;
    }
    const start = position - (position % largeBuffer);
    const block = this.#blocks.get(start) ?? this.#create(start, position);
    if (block === undefined || (position < block.from && block.waiting === undefined)) {
      this.#readAlone(position, max, pace, done);
      return undefined;
    }
    if (position >= block.from && position < block.to) return this.#pieceOf(block, position, max);
    if (block.waiting === undefined) this.#load(block, limit);
    block.waiting!.push({ position, max, done });
    return undefined;
  }

  /** Puts in bytes that have just arrived and end at offset `end`; of use only where they are shared. */
  push(bytes: Buffer, end: number): void {
    if (this.#readers < 2) return;
    let position = end - bytes.length;
    while (position < end) {
      const start = position - (position % largeBuffer);
      const length = Math.min(end, start + largeBuffer) - position;
      const block = this.#blocks.get(start) ?? this.#create(start, position);
      // A block that is being read, or has a gap, is left to those who read it.
      if (block !== undefined && block.waiting === undefined && block.to === position) {
        const offset = bytes.length - (end - position);
        bytes.copy(block.buffer, position - start, offset, offset + length);
        block.to = position + length;
      }
      position += length;
    }
  }

  /** Forgets all blocks; those in use are given back when they are released. */
  clear(): void {
    for (const block of this.#blocks.values()) this.#drop(block);
  }

  #readAlone(position: number, max: number, pace: Pace, done: PieceCallback): void {
    const wantsLarge = pace === 'swift' && max > smallBuffer;
    const buffer = (wantsLarge ? this.#pool.takeLarge() : undefined) ?? this.#pool.takeSmall();
    this.#readAt(buffer, Math.min(max, buffer.length), position, (error, count) => {
      if (error !== null || count === 0) {
        this.#pool.give(buffer);
        done(error ?? new ContentCutShort(), undefined);
        return;
      }
      done(null, {
        bytes: count === buffer.length ? buffer : buffer.subarray(0, count),
        release: () => this.#pool.give(buffer),
      });
    });
  }

  #create(start: number, from: number): Block | undefined {
    const buffer = this.#pool.takeLarge();
    if (buffer === undefined) return undefined;
    const block: Block = {
      start,
      buffer,
      from,
      to: from,
      users: 0,
      waiting: undefined,
      isDropped: false,
    };
    this.#blocks.set(start, block);
    this.#trim();
    return block;
  }

  /** Reads on from where the block ends, as far as there is something to read. */
  #load(block: Block, limit: number): void {
    block.waiting = [];
    // Whoever came first may have begun in the middle; the others want the beginning too.
    if (block.to === block.from && block.users === 0) block.from = block.to = block.start;
    const length = Math.min(limit, block.start + largeBuffer) - block.to;
    const target = block.buffer.subarray(block.to - block.start);
    this.#readAt(target, length, block.to, (error, count) => {
      const waiting = block.waiting ?? [];
      block.waiting = undefined;
      block.to += count;
      const failure = error ?? (count === 0 ? new ContentCutShort() : null);
      // Held meanwhile: whoever is told may release its piece, or leave and drop the block, at once.
      block.users++;
      for (const { position, max, done } of waiting) {
        if (failure !== null) done(failure, undefined);
        else if (position >= block.from && position < block.to) {
          done(null, this.#pieceOf(block, position, max));
        } else this.#readAlone(position, max, 'new', done);
      }
      block.users--;
      if (failure !== null && !block.isDropped) this.#drop(block);
      else if (block.isDropped && block.users === 0) this.#pool.give(block.buffer);
    });
  }

  #pieceOf(block: Block, position: number, max: number): Piece {
    // Used last: to the end of the order.
    if (!block.isDropped) {
      this.#blocks.delete(block.start);
      this.#blocks.set(block.start, block);
    }
    block.users++;
    const offset = position - block.start;
    const end = Math.min(block.to - block.start, offset + max);
    return {
      bytes: block.buffer.subarray(offset, end),
      release: () => {
        block.users--;
        if (block.isDropped && block.users === 0 && block.waiting === undefined) {
          this.#pool.give(block.buffer);
        }
      },
    };
  }

  /** Drops the blocks used longest ago. What is in use goes on being used. */
  #trim(): void {
    const kept = Math.min(Math.max(this.#readers, fewestKept), mostKept);
    for (const block of this.#blocks.values()) {
      if (this.#blocks.size <= kept) return;
      this.#drop(block);
    }
  }

  #drop(block: Block): void {
    this.#blocks.delete(block.start);
    block.isDropped = true;
    if (block.users === 0 && block.waiting === undefined) this.#pool.give(block.buffer);
  }
}
