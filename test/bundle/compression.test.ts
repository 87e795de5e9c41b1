import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import {
  compressionOf,
  createCompressor,
  createDecompressor,
  parseCompression,
  type CompressionChoice,
} from '../../src/bundle/compression.ts';

const text = Buffer.from('krill '.repeat(100_000));

async function compressed(choice: CompressionChoice, pieces: number): Promise<Buffer> {
  const stream = createCompressor(choice);
  const all = buffer(stream);
  const size = Math.ceil(text.length / pieces);
  for (let at = 0; at < text.length; at += size) stream.write(text.subarray(at, at + size));
  stream.end();
  return all;
}

describe('the compression of a bundle', () => {
  it.each([
    ['gzip', { kind: 'gzip', level: 6 }],
    ['gzip:9', { kind: 'gzip', level: 9 }],
    ['zstd', { kind: 'zstd', level: 3 }],
    ['zstd:19', { kind: 'zstd', level: 19 }],
  ])('can be chosen as %s', (choice, expected) => {
    expect(parseCompression(choice)).toEqual(expected);
  });

  it.each(['', 'xz', 'gzip:', 'gzip:0', 'gzip:10', 'zstd:20', 'zstd:-1', 'ZSTD', 'zstd:3 '])(
    'cannot be chosen as %j',
    (choice) => {
      expect(parseCompression(choice)).toBeUndefined();
    },
  );

  it.each(['gzip', 'zstd:1'])('of %s is seen by its first bytes, and undone', async (choice) => {
    const packed = await compressed(parseCompression(choice)!, 1);
    const kind = compressionOf(packed)!;
    expect(choice.startsWith(kind)).toBe(true);
    const stream = createDecompressor(kind);
    stream.end(packed);
    expect((await buffer(stream)).equals(text)).toBe(true);
  });

  it.each(['gzip', 'zstd'])('of %s is the same however the bytes come', async (choice) => {
    const one = await compressed(parseCompression(choice)!, 5);
    expect((await compressed(parseCompression(choice)!, 37)).equals(one)).toBe(true);
  });

  it('is not seen where there is none', () => {
    expect(compressionOf(Buffer.from('oci-layout'))).toBeUndefined();
    expect(compressionOf(Buffer.from([0x1f]))).toBeUndefined();
    expect(compressionOf(Buffer.alloc(0))).toBeUndefined();
  });
});
