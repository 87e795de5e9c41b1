import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { RewoundSource, StreamSource, type ByteSource } from '../lib/byte-source.ts';
import { TarReader } from '../lib/tar-reader.ts';
import { compressionOf, createDecompressor, magicSize } from './compression.ts';
import { refusalOf } from './faults.ts';

/** A file full of images, opened at its front. */
export interface OpenArchive {
  readonly reader: TarReader;
  /**
   * What the archive is known by for as long as nothing better is known of it: the hash of its first
   * bytes, as hex. The same archive, read again, has the same.
   */
  readonly front: string;
  close(): Promise<void>;
}

/** Bytes by which an archive is known. */
const frontSize = 64 * 1024;

/**
 * Opens an archive, packed or not, as its first bytes show. Nothing is unpacked further ahead than it is
 * read, so that a bomb goes off only as far as its reader lets it.
 * @throws RegistryError BUNDLE_INVALID, or what the source fails with
 */
export async function openArchive(packed: ByteSource): Promise<OpenArchive> {
  const opened = await unpacked(packed);
  const first = await gather(opened, frontSize).catch((error: unknown) => {
    throw refusalOf(error);
  });
  const hash = createHash('sha256').update('archive\0');
  for (const bytes of upTo(first, frontSize)) hash.update(bytes);
  const whole = new RewoundSource(first, opened);
  return {
    reader: new TarReader(whole),
    front: hash.digest('hex'),
    close: () => opened.close(),
  };
}

async function unpacked(packed: ByteSource): Promise<ByteSource> {
  const first = await gather(packed, magicSize);
  const whole = new RewoundSource(first, packed);
  const compression = compressionOf(Buffer.concat([...upTo(first, magicSize)]));
  if (compression === undefined) return whole;
  const unpacker = createDecompressor(compression);
  const input = Readable.from(copiesOf(whole), { objectMode: false });
  input.once('error', (error) => unpacker.destroy(error));
  const source = new StreamSource(input.pipe(unpacker));
  return {
    next: () => source.next(),
    close: async () => {
      input.destroy();
      await source.close();
      await packed.close();
    },
  };
}

/** At least so many bytes, where there are as many; copies, where one read does not do. */
async function gather(source: ByteSource, least: number): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  let size = 0;
  while (size < least) {
    const bytes = await source.next();
    if (bytes === undefined) break;
    size += bytes.length;
    // What one read gives stays good until it is used; several may share their memory.
    parts.push(parts.length === 0 && size >= least ? bytes : Buffer.from(bytes));
  }
  return parts;
}

function* upTo(parts: readonly Buffer[], most: number): Generator<Buffer> {
  let left = most;
  for (const part of parts) {
    if (left === 0) return;
    const bytes = part.subarray(0, left);
    left -= bytes.length;
    yield bytes;
  }
}

/** Who unpacks may hold on to more than the source's few blocks. */
async function* copiesOf(source: ByteSource): AsyncGenerator<Buffer> {
  for (;;) {
    const bytes = await source.next();
    if (bytes === undefined) return;
    yield Buffer.from(bytes);
  }
}
