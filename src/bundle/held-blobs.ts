import { open } from 'node:fs/promises';
import { isDigest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BundledContent } from './bundle-index.ts';

/** Characters of a line: a digest, a size, and room for a remark. */
const longestLine = 4096;

/** The line of an inventory that tells of a blob: `sha256:… 1234`. */
export function inventoryLine({ digest, size }: BundledContent): string {
  return `${digest} ${size}\n`;
}

/**
 * Reads an inventory, line by line. Empty lines, and what stands behind a `#`, are passed over.
 * @throws RegistryError REQUEST_INVALID with the number of a line that is none; or the file system's error
 */
export async function* readInventory(path: string): AsyncGenerator<BundledContent> {
  const file = await open(path, 'r');
  try {
    let number = 0;
    for await (const line of file.readLines()) {
      number++;
      const [digest = '', size = '', ...more] = line.replace(/#.*$/, '').trim().split(/\s+/);
      if (digest === '') continue;
      const isRight = isDigest(digest) && /^\d{1,15}$/.test(size) && more.length === 0;
      if (!isRight || line.length > longestLine) {
        throw new RegistryError(
          'REQUEST_INVALID',
          `${path}:${number}: this is no line of baleen inventory`,
        );
      }
      yield { digest, size: Number(size) };
    }
  } finally {
    await file.close();
  }
}
