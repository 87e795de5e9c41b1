import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { BlockWriter } from '../../src/lib/block-writer.ts';

/** A sink that keeps what it was given, and is not done before others had a turn. */
function sink(): { taken: string[]; write: (block: Buffer) => Promise<void> } {
  const taken: string[] = [];
  return {
    taken,
    write: async (block) => {
      await turn();
      taken.push(block.toString());
    },
  };
}

describe('a writer of blocks', () => {
  it('hands on whole blocks in their order, and at the end what is left', async () => {
    const { taken, write } = sink();
    const writer = new BlockWriter(write, 4);
    for (const text of ['a', 'bcd', 'efghijklmnopqrs', 't', ''])
      await writer.put(Buffer.from(text));
    await writer.end();
    expect(taken).toEqual(['abcd', 'efgh', 'ijkl', 'mnop', 'qrst']);
    const odd = sink();
    const other = new BlockWriter(odd.write, 4);
    await other.put(Buffer.from('abcde'));
    await other.end();
    expect(odd.taken).toEqual(['abcd', 'e']);
  });

  it('writes nothing where nothing came', async () => {
    const { taken, write } = sink();
    await new BlockWriter(write, 4).end();
    expect(taken).toEqual([]);
  });

  it('lets its owner fill the blocks', async () => {
    const { taken, write } = sink();
    const writer = new BlockWriter(write, 8);
    await writer.put(Buffer.from('abc'));
    const space = await writer.space();
    expect(space).toHaveLength(5);
    space.write('de');
    writer.advance(2);
    (await writer.space()).write('fgh');
    writer.advance(3);
    await writer.end();
    expect(taken).toEqual(['abcdefgh']);
  });

  it('writes one at a time, and has no more blocks than it needs', async () => {
    let running = 0;
    let most = 0;
    const blocks = new Set<ArrayBufferLike>();
    const writer = new BlockWriter(async (block) => {
      blocks.add(block.buffer);
      most = Math.max(most, ++running);
      await turn();
      running--;
    }, 4);
    for (let number = 0; number < 100; number++) await writer.put(Buffer.from('abcd'));
    await writer.end();
    expect(most).toBe(1);
    expect(blocks.size).toBeLessThanOrEqual(4);
  });

  it('fails with what the sink failed with, and gives it nothing more', async () => {
    let calls = 0;
    const writer = new BlockWriter(async () => {
      await turn();
      calls++;
      throw new Error('the disk is full');
    }, 4);
    const put = async (): Promise<void> => {
      for (;;) await writer.put(Buffer.from('abcdefgh'));
    };
    await expect(put()).rejects.toThrow('the disk is full');
    await expect(writer.end()).rejects.toThrow('the disk is full');
    expect(calls).toBe(1);
  });
});
