import type { Transform } from 'node:stream';
import {
  constants,
  createGunzip,
  createGzip,
  createZstdCompress,
  createZstdDecompress,
} from 'node:zlib';

/** How a whole bundle may be compressed. */
export type Compression = 'gzip' | 'zstd';

/** Which compression, and how hard. */
export interface CompressionChoice {
  readonly kind: Compression;
  /** The algorithm's own: 1 to 9 for gzip, 1 to 19 for zstd. */
  readonly level: number;
}

/** By which a compressed file is known (RFC 1952, section 2.3.1; RFC 8878, section 3.1.1). */
const magic: Readonly<Record<Compression, Buffer>> = {
  gzip: Buffer.from([0x1f, 0x8b]),
  zstd: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
};

/** Bytes that {@link compressionOf} has to see. */
export const magicSize = 4;

const levels: Readonly<Record<Compression, { readonly usual: number; readonly most: number }>> = {
  gzip: { usual: 6, most: 9 },
  zstd: { usual: 3, most: 19 },
};

/** Bytes that a stream hands on at once. */
const chunkSize = 256 * 1024;

/**
 * The largest window that a zstd stream may ask its reader to keep, as a power of two: 128 MiB,
 * which is also what `zstd` itself accepts without being told to.
 */
const maxWindow = 27;

/** How a file that begins with these bytes is compressed; undefined where it is not. */
export function compressionOf(front: Buffer): Compression | undefined {
  return (['gzip', 'zstd'] as const).find((kind) =>
    front.subarray(0, magic[kind].length).equals(magic[kind]),
  );
}

/** Reads `zstd`, `gzip` or `zstd:19`; undefined where it is none of these. */
export function parseCompression(text: string): CompressionChoice | undefined {
  const [, kind, digits] = /^(gzip|zstd)(?::(\d{1,2}))?$/.exec(text) ?? [];
  if (kind === undefined) return undefined;
  const { usual, most } = levels[kind as Compression];
  const level = digits === undefined ? usual : Number(digits);
  return level >= 1 && level <= most ? { kind: kind as Compression, level } : undefined;
}

/** A stream that compresses. The same bytes give the same: no time and no name is written. */
export function createCompressor({ kind, level }: CompressionChoice): Transform {
  return kind === 'gzip'
    ? createGzip({ level, chunkSize })
    : createZstdCompress({
        chunkSize,
        params: {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_checksumFlag]: 1,
        },
      });
}

/** A stream that undoes it. How much comes out is for the reader to bound. */
export function createDecompressor(kind: Compression): Transform {
  return kind === 'gzip'
    ? createGunzip({ chunkSize })
    : createZstdDecompress({
        chunkSize,
        params: { [constants.ZSTD_d_windowLogMax]: maxWindow },
      });
}
