import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BufferPool, largeBuffer, smallBuffer } from '../../src/lib/buffer-pool.ts';
import type { Pace, Piece, ReadAt } from '../../src/store/blob-reader.ts';
import { SharedBlocks } from '../../src/store/shared-blocks.ts';

const content = randomBytes(4 * largeBuffer + 12_345);

/** A pool that knows what it has lent, and spoils what it gets back. */
class WatchedPool extends BufferPool {
  readonly lent = new Set<Buffer>();

  override takeLarge(): Buffer | undefined {
    const buffer = super.takeLarge();
    if (buffer !== undefined) this.lent.add(buffer);
    return buffer;
  }

  override takeSmall(): Buffer {
    const buffer = super.takeSmall();
    this.lent.add(buffer);
    return buffer;
  }

  override give(buffer: Buffer): void {
    if (!this.lent.delete(buffer)) throw new Error('given back twice, or never lent');
    buffer.fill(0);
    super.give(buffer);
  }
}

/** Blocks of the content, so many readers, and every read that they cause. */
function open(readers: number, budget = 64 * largeBuffer) {
  const pool = new WatchedPool(budget);
  const reads: { readonly position: number; readonly length: number }[] = [];
  const readAt: ReadAt = (buffer, length, position, done) => {
    reads.push({ position, length });
    setImmediate(() => done(null, content.copy(buffer, 0, position, position + length)));
  };
  const blocks = new SharedBlocks(readAt, pool);
  for (let each = 0; each < readers; each++) blocks.join();
  const next = (position: number, pace: Pace = 'swift', max = largeBuffer): Promise<Piece> =>
    new Promise((resolve, reject) => {
      const most = Math.min(max, content.length - position);
      const piece = blocks.next(position, most, content.length, pace, (error, read) => {
        if (read === undefined) reject(error ?? new Error('no piece'));
        else resolve(read);
      });
      if (piece !== undefined) resolve(piece);
    });
  const leave = (): void => {
    for (let each = 0; each < readers; each++) blocks.leave();
  };
  return { pool, reads, blocks, next, leave };
}

function isRight({ bytes }: Piece, position: number): boolean {
  return bytes.length > 0 && bytes.equals(content.subarray(position, position + bytes.length));
}

describe('several readers', () => {
  it('that want the same bytes at a time cause one read, and get the same memory', async () => {
    const { next, reads, leave, pool } = open(3);
    const pieces = await Promise.all([next(0), next(0), next(100)]);
    expect(pieces.map((piece, index) => isRight(piece, index === 2 ? 100 : 0))).toEqual([
      true,
      true,
      true,
    ]);
    expect(new Set(pieces.map(({ bytes }) => bytes.buffer)).size).toBe(1);
    expect(reads).toEqual([{ position: 0, length: largeBuffer }]);
    for (const piece of pieces) piece.release();
    leave();
    expect(pool.lent.size).toBe(0);
  });

  it('of which one is slow leave that one to a small buffer of its own', async () => {
    const { next, reads, leave, pool } = open(2);
    const shared = await next(0);
    const own = await next(0, 'slow');
    expect(own.bytes.buffer).not.toBe(shared.bytes.buffer);
    expect(own.bytes).toHaveLength(smallBuffer);
    expect(reads).toHaveLength(2);
    own.release();
    shared.release();
    leave();
    expect(pool.lent.size).toBe(0);
  });

  it('keep what they hold when the others have left', async () => {
    const { next, leave, pool } = open(2);
    const piece = await next(0);
    leave();
    expect(isRight(piece, 0)).toBe(true);
    piece.release();
    expect(pool.lent.size).toBe(0);
  });

  it('work with small buffers where the pool has no others', async () => {
    const { next, leave, pool } = open(2, 0);
    const pieces = await Promise.all([next(0), next(0)]);
    expect(pieces.map(({ bytes }) => bytes.length)).toEqual([smallBuffer, smallBuffer]);
    for (const piece of pieces) piece.release();
    leave();
    expect(pool.lent.size).toBe(0);
  });
});

describe('a lone reader', () => {
  it.each<[Pace, number]>([
    ['new', smallBuffer],
    ['swift', largeBuffer],
    ['slow', smallBuffer],
  ])('that is %s reads %i bytes at a time', async (pace, size) => {
    const { next, leave, pool } = open(1);
    const piece = await next(5, pace);
    expect(piece.bytes).toHaveLength(size);
    expect(isRight(piece, 5)).toBe(true);
    piece.release();
    leave();
    expect(pool.lent.size).toBe(0);
  });
});

it('gives followers what has just arrived without a read', async () => {
  const { blocks, next, reads, leave } = open(2);
  for (let end = 0; end < 2 * largeBuffer;) {
    const from = end;
    end = Math.min(2 * largeBuffer, end + 100_000);
    blocks.push(content.subarray(from, end), end);
    const piece = await next(from, 'swift', end - from);
    expect(isRight(piece, from)).toBe(true);
    piece.release();
  }
  expect(reads).toEqual([]);
  leave();
});

it('fails all who wait for a read that fails, and keeps nothing of it', async () => {
  const pool = new WatchedPool(largeBuffer);
  const blocks = new SharedBlocks((_buffer, _length, _position, done) => {
    setImmediate(() => done(new Error('the disk is gone'), 0));
  }, pool);
  blocks.join();
  blocks.join();
  const errors = await Promise.all(
    [0, 1].map(
      (position) =>
        new Promise((resolve) => {
          blocks.next(position, 10, 100, 'swift', (error) => resolve(error?.message));
        }),
    ),
  );
  expect(errors).toEqual(['the disk is gone', 'the disk is gone']);
  expect(pool.lent.size).toBe(0);
});

/** Two readers waiting for one read, each doing something the moment it is told; then all that was given back. */
async function whileTold(
  told: (blocks: SharedBlocks, piece: Piece | undefined) => void,
  failure: Error | null,
  dropped: boolean,
): Promise<{ pool: WatchedPool; fault: unknown }> {
  const pool = new WatchedPool(largeBuffer);
  const settled = Promise.withResolvers<unknown>();
  const blocks = new SharedBlocks((_buffer, length, _position, done) => {
    setImmediate(() => {
      try {
        done(failure, failure === null ? length : 0);
        settled.resolve(undefined);
      } catch (error) {
        settled.resolve(error);
      }
    });
  }, pool);
  blocks.join();
  blocks.join();
  for (let each = 0; each < 2; each++) {
    blocks.next(0, 10, 100, 'swift', (_error, piece) => told(blocks, piece));
  }
  if (dropped) blocks.clear();
  return { fault: await settled.promise, pool };
}

it('gives a buffer back once where readers that have left release it as they are told', async () => {
  const { fault, pool } = await whileTold((_blocks, piece) => piece?.release(), null, true);
  expect(fault).toBeUndefined();
  expect(pool.lent.size).toBe(0);
});

it.each([null, new Error('the disk is gone')])(
  'gives a buffer back once where readers leave as they are told: %s',
  async (failure) => {
    const leave = (blocks: SharedBlocks, piece: Piece | undefined): void => {
      piece?.release();
      blocks.leave();
    };
    const { fault, pool } = await whileTold(leave, failure, false);
    expect(fault).toBeUndefined();
    expect(pool.lent.size).toBe(0);
  },
);

it('never gives a wrong byte, and loses no buffer, whoever reads what, and when', async () => {
  const step = fc.record({
    position: fc.nat({ max: content.length - 1 }),
    pace: fc.constantFrom<Pace>('new', 'swift', 'slow'),
    /** Turns of the event loop for which it is held. */
    held: fc.nat({ max: 5 }),
    arrives: fc.boolean(),
    waits: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.nat({ max: 4 }),
      async (steps, large) => {
        const { next, blocks, leave, pool } = open(3, large * largeBuffer);
        const work: Promise<void>[] = [];
        for (const { position, pace, held, arrives, waits } of steps) {
          if (arrives) {
            const end = Math.min(content.length, position + 300_000);
            blocks.push(content.subarray(position, end), end);
          }
          const read = next(position, pace).then(async (piece) => {
            for (let left = held; left > 0; left--) await new Promise(setImmediate);
            const right = isRight(piece, position);
            piece.release();
            expect(right).toBe(true);
          });
          work.push(read);
          if (waits) await new Promise(setImmediate);
        }
        await Promise.all(work);
        leave();
        expect(pool.lent.size).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});
