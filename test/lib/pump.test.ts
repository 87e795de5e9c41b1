import { PassThrough, Readable } from 'node:stream';
import { expect, it } from '@jest/globals';
import { pump, type PumpSink } from '../../src/lib/pump.ts';
import { waitFor } from '../support/wait-for.ts';

const { signal } = new AbortController();

/** A sink whose writes settle when they are let. */
class SlowSink implements PumpSink {
  taken = 0;
  written: Buffer[] = [];
  writing = 0;
  mostWriting = 0;
  readonly #waiting: (() => void)[] = [];
  #isOpen = false;

  take(chunk: Buffer): void {
    this.taken += chunk.length;
  }

  async write(chunks: readonly Buffer[]): Promise<void> {
    this.writing++;
    this.mostWriting = Math.max(this.mostWriting, this.writing);
    if (!this.#isOpen) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.written.push(...chunks);
    this.writing--;
  }

  /** Lets all writes settle, those to come included. */
  open(): void {
    this.#isOpen = true;
    for (const settle of this.#waiting) settle();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.written);
  }
}

it('brings all bytes in their order, one write at a time', async () => {
  const sink = new SlowSink();
  sink.open();
  const chunks = Array.from({ length: 200 }, (_, index) => Buffer.alloc(10_000, index));
  expect(await pump(Readable.from(chunks), sink, signal)).toBe('end');
  expect(sink.bytes.equals(Buffer.concat(chunks))).toBe(true);
  expect(sink.mostWriting).toBe(1);
  expect(await pump(Readable.from([]), sink, signal)).toBe('end');
});

it('takes no more than a little while the sink is slow', async () => {
  const sink = new SlowSink();
  let given = 0;
  const endless = new Readable({
    read() {
      given += 65_536;
      this.push(Buffer.alloc(65_536));
    },
  });
  const { signal: stop, abort } = abortable();
  const pumping = pump(endless, sink, stop);
  await waitFor('the source to be held', () => endless.isPaused());
  expect(given).toBeLessThan(1024 * 1024);
  expect(sink.taken).toBeLessThan(600 * 1024);
  abort();
  sink.open();
  expect(await pumping).toBe('stopped');
  endless.destroy();
});

it.each([
  ['its signal stops it', 'stopped', (_source: PassThrough, abort: () => void) => abort()],
  ['its stream breaks', 'broke', (source: PassThrough) => source.destroy(new Error('gone'))],
  ['its stream is closed', 'broke', (source: PassThrough) => source.destroy()],
])('writes all that it took where %s', async (_what, end, stop) => {
  const sink = new SlowSink();
  const source = new PassThrough();
  source.on('error', () => undefined);
  const { signal: stopped, abort } = abortable();
  const pumping = pump(source, sink, stopped);
  source.write(Buffer.alloc(1000, 1));
  source.write(Buffer.alloc(1000, 2));
  await waitFor('the bytes', () => sink.taken === 2000);
  stop(source, abort);
  sink.open();
  expect(await pumping).toBe(end);
  expect(sink.bytes).toHaveLength(2000);
});

it('fails with what the sink fails with, and leaves the stream alone from then on', async () => {
  const source = Readable.from([Buffer.from('a'), Buffer.from('b')]);
  const refusing: PumpSink = {
    take() {},
    write: () => Promise.reject(new Error('disk')),
  };
  await expect(pump(source, refusing, signal)).rejects.toThrow('disk');
  const sink = new SlowSink();
  sink.open();
  const picky: PumpSink = {
    take(chunk) {
      if (chunk.toString() === 'b') throw new Error('too much');
    },
    write: (chunks) => sink.write(chunks),
  };
  const other = new PassThrough();
  const pumping = pump(other, picky, signal);
  other.write('a');
  await waitFor('the first', () => sink.written.length === 1);
  other.write('b');
  await expect(pumping).rejects.toThrow('too much');
  expect(other.isPaused()).toBe(true);
  expect(sink.bytes.toString()).toBe('a');
});

it('knows at once what has ended, broken or was stopped before', async () => {
  const sink = new SlowSink();
  const ended = Readable.from([]).resume();
  await waitFor('its end', () => ended.readableEnded);
  expect(await pump(ended, sink, signal)).toBe('end');
  const broken = new PassThrough().destroy();
  expect(await pump(broken, sink, signal)).toBe('broke');
  expect(await pump(new PassThrough(), sink, AbortSignal.abort())).toBe('stopped');
});

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

it('shares what is gathered among all who pump, and takes as much as ever when they are done', async () => {
  const MiB = 1024 * 1024;
  const pumpSome = async (count: number): Promise<number> => {
    const sinks = Array.from({ length: count }, () => new SlowSink());
    const { signal: stop, abort } = abortable();
    const sources = sinks.map(
      () =>
        new Readable({
          read() {
            this.push(Buffer.alloc(16_384));
          },
        }),
    );
    const pumping = sources.map((source, index) => pump(source, sinks[index]!, stop));
    await waitFor('all to wait', () => Promise.resolve(sources.every((each) => each.isPaused())));
    const taken = sinks.reduce((sum, each) => sum + each.taken, 0);
    abort();
    for (const sink of sinks) sink.open();
    await Promise.all(pumping);
    return taken;
  };
  const alone = await pumpSome(1);
  expect(await pumpSome(600)).toBeLessThan(64 * MiB);
  expect(await pumpSome(1)).toBe(alone);
});
