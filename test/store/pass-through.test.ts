import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { BufferPool } from '../../src/lib/buffer-pool.ts';
import { GrowingBlob } from '../../src/registry/growing-blob.ts';
import type { BlobWriter } from '../../src/store/blob-writer.ts';
import { PassThrough, windowFor } from '../../src/store/pass-through.ts';
import { RecentBytes } from '../../src/store/recent-bytes.ts';
import { drain, nextPiece } from '../support/scaffold.ts';

type Done = (error: Error | null, bytesRead: number) => void;

const MiB = 1024 * 1024;

describe('the newest bytes', () => {
  const content = randomBytes(1000);
  const recent = new RecentBytes(5000);
  for (let at = 0; at < 1000; at += 70) recent.push(content.subarray(at, at + 70));
  const read = (length: number, position: number): Buffer => {
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, recent.read(buffer, length, position));
  };

  it('can be read from anywhere, as far as they go', () => {
    expect(read(1000, 5000).equals(content)).toBe(true);
    expect(read(300, 5139).equals(content.subarray(139, 439))).toBe(true);
    expect(read(300, 5900).equals(content.subarray(900))).toBe(true);
    expect(read(10, 4999)).toHaveLength(0);
    expect(read(10, 6000)).toHaveLength(0);
  });

  it('are let go of in whole chunks', () => {
    recent.forget(5150);
    expect(recent.start).toBe(5140);
    expect(read(10, 5139)).toHaveLength(0);
    expect(read(10, 5140).equals(content.subarray(140, 150))).toBe(true);
    recent.forget(9000);
    expect([recent.start, recent.size]).toEqual([6000, 0]);
  });
});

describe('what passes through', () => {
  const { signal } = new AbortController();
  const wide = (): number => 8 * MiB;

  /** A blob that passes through, and a way to send it: gives how often that waited in vain. */
  function passOn(window: () => number) {
    // Longer than a busy machine keeps anybody waiting for no reason.
    const patience = 2_000;
    const passing = new PassThrough(0, window, patience);
    const writer = {
      isKept: false,
      isGone: (position: number) => passing.isGone(position),
      forget: (position: number) => passing.forget(position),
      read: (buffer: Buffer, length: number, position: number, done: Done) => {
        const count = passing.read(buffer, length, position);
        setImmediate(done, count === 0 ? new Error('gone') : null, count);
      },
      close: () => Promise.resolve(),
    };
    const blob = new GrowingBlob(new BufferPool(8 * MiB), () => undefined);
    blob.open(writer as unknown as BlobWriter);
    const send = async (content: Buffer, batch: number): Promise<number> => {
      let waits = 0;
      blob.announce(content.length, 0);
      for (let offset = 0; offset < content.length; offset += batch) {
        const bytes = content.subarray(offset, offset + batch);
        const since = performance.now();
        await passing.push([bytes], signal);
        if (performance.now() - since > patience - 10) waits++;
        blob.grew([bytes], offset + bytes.length);
      }
      blob.complete(content.length);
      return waits;
    };
    return { blob, send };
  }

  it('waits for its readers once there is much of it', async () => {
    const passing = new PassThrough(0, wide);
    let isTaken = false;
    const pushed = passing.push([Buffer.alloc(9 * MiB, 1), Buffer.alloc(MiB, 2)], signal);
    const done = pushed.then(() => (isTaken = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect([isTaken, passing.isWhole]).toEqual([false, true]);
    passing.forget(9 * MiB);
    await done;
    expect(passing.isWhole).toBe(false);
    const buffer = Buffer.alloc(10);
    expect(passing.read(buffer, 10, 9 * MiB)).toBe(10);
    expect(buffer.every((byte) => byte === 2)).toBe(true);
  });

  it('shares a budget with all else that does', () => {
    expect([0, 1, 8, 16, 1000].map((transfers) => windowFor(transfers) / MiB)).toEqual([
      8, 8, 8, 4, 2,
    ]);
  });

  it('waits for one that still reads what is on the disk, for as long as it goes on', async () => {
    const passing = new PassThrough(4 * MiB, wide, 200);
    const pushed = passing.push([Buffer.alloc(4 * MiB, 1), Buffer.alloc(5 * MiB, 2)], signal);
    for (let position = 0; position <= 4 * MiB; position += MiB / 2) {
      passing.forget(position);
      await delay(50);
    }
    expect(passing.isWhole).toBe(true);
    passing.forget(8 * MiB);
    await pushed;
    expect([passing.isGone(4 * MiB), passing.isGone(8 * MiB)]).toEqual([true, false]);
  });

  it('leaves behind who takes nothing, and waits for the others alone', async () => {
    const { blob, send } = passOn(wide);
    const stuck = blob.reader();
    const drained = drain(blob.reader());
    const content = randomBytes(40 * MiB);
    expect(await send(content, MiB)).toBe(1);
    expect((await drained).equals(content)).toBe(true);
    await expect(nextPiece(stuck, 0, 100)).rejects.toThrow('gone');
    stuck.close();
  });

  it('never waits in vain for who keeps up, however little each transfer gets', async () => {
    const { blob, send } = passOn(() => windowFor(10_000));
    const drained = drain(blob.reader());
    const content = randomBytes(10 * MiB);
    // As much as gathers while the last batch is being dealt with, and the chunk that was one too many.
    expect(await send(content, (512 + 64) * 1024)).toBe(0);
    expect((await drained).equals(content)).toBe(true);
  });

  it('waits no more when it is given up', async () => {
    const controller = new AbortController();
    const pushed = new PassThrough(0, wide).push([Buffer.alloc(9 * MiB)], controller.signal);
    controller.abort();
    await pushed;
  });
});
