import { isRegistryError, RegistryError } from '../oci/errors.ts';
import type { Digest } from '../oci/digest.ts';
import { TarCutShort, TarFault } from '../lib/tar-header.ts';

/** What is wrong about a file that is imported: it is refused, and nothing of it is kept. */
export function invalidBundle(message: string, cause?: unknown): RegistryError {
  return new RegistryError('BUNDLE_INVALID', message, { cause });
}

export function wrongBytes(digest: Digest, actual: Digest): RegistryError {
  return invalidBundle(`the bytes of ${digest} are damaged: they are those of ${actual}`);
}

/**
 * Things that manifests name, each as often as it comes to a repository: far more than any site has. A
 * small bundle could else ask for any number of files, with one large image under thousands of names.
 */
export const maxLinks = 4_000_000;

/** Where there are more of them. */
export function tooManyLinks(): RegistryError {
  return invalidBundle(
    `its images name more than ${maxLinks} things in their repositories: write several bundles`,
  );
}

/** Whether the rest of an archive is missing, as it is where the last part of several is. */
export function isCutShort(error: unknown): boolean {
  const { cause } = error as { readonly cause?: unknown };
  if (cause instanceof TarCutShort) return true;
  // zlib's word for an end in the middle of a packed stream, gzip's and zstd's alike.
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'Z_BUF_ERROR';
}

/**
 * Puts what reading an archive failed with into the words of its user: what is not a tar archive, or not
 * packed rightly, is a bundle that is not right. The rest is passed on: it may go better next time.
 */
export function refusalOf(error: unknown): unknown {
  if (error instanceof TarFault) {
    return invalidBundle(`the archive is not right: ${error.message}`, error);
  }
  if (isRegistryError(error, 'MANIFEST_INVALID')) return invalidBundle(error.message, error);
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string' && /^(Z_|ZSTD_|ERR_Z)/.test(code)) {
    return invalidBundle(`the archive cannot be unpacked: ${(error as Error).message}`, error);
  }
  return error;
}

/**
 * Whether a failure is to leave nothing behind: the file is refused, or there is no room for it. Where
 * a disk or a line broke, who comes again goes on.
 */
export function isRefusal(error: unknown): boolean {
  return isRegistryError(error) || (error as NodeJS.ErrnoException).code === 'ENOSPC';
}

/** Of a name that may hold anything, so much as can be shown. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
}
