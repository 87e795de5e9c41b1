import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { PassThrough, windowFor } from '../../src/store/pass-through.ts';
import { RecentBytes } from '../../src/store/recent-bytes.ts';

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

  it('waits for its readers once there is much of it', async () => {
    const passing = new PassThrough(0, () => 8 * MiB);
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
      8, 8, 8, 4, 1,
    ]);
  });

  it('waits no more when it is given up', async () => {
    const controller = new AbortController();
    const pushed = new PassThrough(0, () => 8 * MiB).push(
      [Buffer.alloc(9 * MiB)],
      controller.signal,
    );
    controller.abort();
    await pushed;
  });
});
