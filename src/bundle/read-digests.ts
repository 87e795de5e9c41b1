import { stat } from 'node:fs/promises';
import { FileSource } from '../lib/byte-source.ts';
import { TarFault } from '../lib/tar-header.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import { maxBundleIndexSize, parseBundleIndex, type BundleIndex } from './bundle-index.ts';
import { bundleFiles } from './bundle-layout.ts';
import { openArchive } from './open-archive.ts';

/**
 * Reads what an earlier bundle held, or only its first part: nothing behind its front is read, and
 * nothing is verified.
 * @throws RegistryError MANIFEST_INVALID; or the file system's error
 */
export async function readBundleDigests(path: string): Promise<BundleIndex> {
  // What cannot be read is told in the system's words.
  await stat(path);
  const source = new FileSource([path]);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => source.close());
  try {
    const archive = await openArchive(source);
    stack.defer(() => archive.close());
    const { reader } = archive;
    for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
      if (entry.name === bundleFiles.digests) {
        return parseBundleIndex(await reader.whole(maxBundleIndexSize));
      }
      if (entry.name !== bundleFiles.layout) break;
    }
  } catch (error) {
    if (error instanceof TarFault || isRegistryError(error, 'BUNDLE_INVALID'))
      throw noBundle(path, error);
    throw error;
  }
  throw noBundle(path);
}

function noBundle(path: string, cause?: unknown): RegistryError {
  return new RegistryError(
    'MANIFEST_INVALID',
    `${path} is no bundle that baleen export has written, or not its first part`,
    { cause },
  );
}
