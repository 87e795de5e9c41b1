import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import { parseBundleIndex, type BundleIndex } from '../../src/bundle/bundle-index.ts';
import { digestOf } from '../../src/oci/digest.ts';

/** A bundle, read by another's hand. */
export interface ReadBundle {
  /** In their order. */
  readonly names: readonly string[];
  readonly files: ReadonlyMap<string, Buffer>;
  readonly digests: BundleIndex;
  /** The digests of the content in it. */
  readonly contents: readonly string[];
}

/** Reads a whole bundle, one file or the parts of one, and checks that all content is what its name says. */
export async function readBundle(...paths: readonly string[]): Promise<ReadBundle> {
  const files = new Map<string, Buffer>();
  const entries = extract();
  const stream = Readable.from(concatenated(paths));
  const [first = ''] = paths;
  const decompressor = first.endsWith('.zst')
    ? createZstdDecompress()
    : first.endsWith('.gz')
      ? createGunzip()
      : undefined;
  const done = decompressor ? pipeline(stream, decompressor, entries) : pipeline(stream, entries);
  for await (const entry of entries) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    if (files.has(entry.header.name)) throw new Error(`${entry.header.name} is there twice`);
    files.set(entry.header.name, Buffer.concat(chunks));
  }
  await done;
  const names = [...files.keys()];
  const contents = names
    .filter((name) => name.startsWith('blobs/'))
    .map((name) => {
      const [, algorithm = '', hex = ''] = name.split('/');
      const digest = `${algorithm}:${hex}`;
      if (digestOf(files.get(name)!, algorithm as 'sha256') !== digest) {
        throw new Error(`${name} holds other bytes`);
      }
      return digest;
    });
  return { names, files, contents, digests: parseBundleIndex(files.get('baleen.json')!) };
}

async function* concatenated(paths: readonly string[]): AsyncGenerator<Buffer> {
  for (const path of paths) {
    for await (const chunk of createReadStream(path)) yield chunk as Buffer;
  }
}
