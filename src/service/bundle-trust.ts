import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { readVerificationKey } from '../bundle/bundle-signature.ts';
import type { Trust } from '../bundle/trust.ts';
import type { Config } from '../config/config.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';

/** The largest file that is read for a key, in bytes. */
const maxKeySize = 64 * 1024;

/**
 * Whose bundles are taken, by the configuration; the files are read anew each time.
 * @param insisted files of keys that somebody insists on besides: this can only narrow what the
 *   configuration allows
 * @throws RegistryError REQUEST_INVALID for a file without such a key; or the file system's error
 */
export async function bundleTrust(
  { bundles }: Pick<Config, 'bundles'>,
  insisted: readonly string[] = [],
): Promise<Trust> {
  const keys = await Promise.all(bundles.trusted_keys.map(readKey));
  const required: (readonly KeyObject[])[] = bundles.require_signature ? [keys] : [];
  if (insisted.length > 0) required.push(await Promise.all(insisted.map(readKey)));
  return { keys, required };
}

async function readKey(path: string): Promise<KeyObject> {
  const pem = await readFile(path);
  try {
    if (pem.length > maxKeySize) throw new RegistryError('REQUEST_INVALID', 'it is too large');
    return readVerificationKey(pem);
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    throw new RegistryError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}
