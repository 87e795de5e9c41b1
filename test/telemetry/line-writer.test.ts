import { Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { LineWriter } from '../../src/telemetry/line-writer.ts';

const dropped = (count: number): string => `dropped ${count}`;

/** A stream that takes a piece only when it is told to. */
class Gate extends Writable {
  taken = '';
  readonly #waiting: (() => void)[] = [];
  open = false;

  constructor() {
    super({ highWaterMark: 1, decodeStrings: false });
  }

  override _write(piece: string, _encoding: BufferEncoding, done: () => void): void {
    const take = (): void => {
      this.taken += piece;
      done();
    };
    if (this.open) take();
    else this.#waiting.push(take);
  }

  release(): void {
    this.open = true;
    for (const take of this.#waiting.splice(0)) take();
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the line writer', () => {
  it('gathers lines until there are enough', () => {
    const gate = new Gate();
    gate.open = true;
    const writer = new LineWriter(gate, { dropped, chunk: 10, interval: 60_000 });
    writer.write('1234');
    expect(gate.taken).toBe('');
    writer.write('5678');
    expect(gate.taken).toBe('1234\n5678\n');
  });

  it('writes what was gathered after a while, and at once with a line that is urgent', async () => {
    const gate = new Gate();
    gate.open = true;
    const writer = new LineWriter(gate, { dropped, interval: 1 });
    writer.write('a');
    while (gate.taken === '') await new Promise((resolve) => setTimeout(resolve, 1));
    writer.write('b');
    writer.writeNow('c');
    await settle();
    expect(gate.taken).toBe('a\nb\nc\n');
  });

  it('drops and counts what a stuck reader has no room for, and says so when it reads again', async () => {
    const gate = new Gate();
    const writer = new LineWriter(gate, { dropped, chunk: 10, capacity: 100, interval: 60_000 });
    for (let index = 0; index < 10_000; index += 1) writer.write('x'.repeat(9));
    expect(gate.writableLength).toBeLessThanOrEqual(100);
    expect(writer.dropped).toBeGreaterThan(9900);
    gate.release();
    await writer.close();
    const lines = gate.taken.trimEnd().split('\n');
    expect(lines.at(-1)).toBe(`dropped ${writer.dropped}`);
    expect(lines.length - 1 + writer.dropped).toBe(10_000);
  });

  it('survives a reader that went away', async () => {
    const gate = new Gate();
    const writer = new LineWriter(gate, { dropped });
    writer.writeNow('a');
    gate.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    await settle();
    writer.writeNow('b');
    await writer.close();
    expect(writer.dropped).toBe(1);
  });

  it('waits for the reader when it is closed, but not for ever', async () => {
    const gate = new Gate();
    const writer = new LineWriter(gate, { dropped });
    writer.write('a');
    const before = Date.now();
    await writer.close(50);
    expect(Date.now() - before).toBeLessThan(5000);
    const closing = writer.close(60_000);
    gate.release();
    await closing;
    expect(gate.taken).toBe('a\n');
  });
});
