import { open } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { RegistryError } from '../oci/errors.ts';
import { maxBundleIndexSize, parseBundleIndex, type BundleIndex } from './bundle-index.ts';
import { bundleFiles } from './bundle-layout.ts';
import { compressionOf, createDecompressor, magicSize } from './compression.ts';

/**
 * Reads what an earlier bundle held, or only its first part: nothing behind its front is read, and
 * nothing is verified.
 * @throws RegistryError MANIFEST_INVALID; or the file system's error
 */
export async function readBundleDigests(path: string): Promise<BundleIndex> {
  const kind = compressionOf(await frontOf(path));
  const source = createReadStream(path);
  const entries = extract();
  const reading =
    kind === undefined
      ? pipeline(source, entries)
      : pipeline(source, createDecompressor(kind), entries);
  // It is broken off as soon as enough is known.
  const ended = reading.catch((cause: unknown) => cause);
  try {
    let count = 0;
    for await (const entry of entries) {
      const { name, size } = entry.header;
      if (name === bundleFiles.digests && size <= maxBundleIndexSize) {
        const chunks: Buffer[] = [];
        for await (const chunk of entry) chunks.push(chunk as Buffer);
        return parseBundleIndex(Buffer.concat(chunks));
      }
      if (name !== bundleFiles.layout || ++count > 1) break;
      entry.resume();
    }
  } catch (cause) {
    if (cause instanceof RegistryError) throw cause;
    throw noBundle(path, cause);
  } finally {
    source.destroy();
    entries.destroy();
    await ended;
  }
  throw noBundle(path);
}

async function frontOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(magicSize), 0, magicSize, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function noBundle(path: string, cause?: unknown): RegistryError {
  return new RegistryError(
    'MANIFEST_INVALID',
    `${path} is no bundle that baleen export has written, or not its first part`,
    { cause },
  );
}
