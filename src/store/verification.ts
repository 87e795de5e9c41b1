import { open, stat, type FileHandle } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { isMissing } from '../lib/atomic-file.ts';
import { Pace } from '../lib/pace.ts';
import { Digester, splitDigest, type Digest } from '../oci/digest.ts';
import { isDamage } from './damage.ts';
import { fileId, fileIdOf, type FileId } from './file-id.ts';

/** What a stored file turned out to be. */
export type BlobVerdict =
  | { readonly kind: 'good'; readonly size: number }
  /** Its bytes are not those that its name promises. */
  | {
      readonly kind: 'wrong';
      readonly size: number;
      readonly actual: Digest;
      readonly file: FileId;
    }
  /** The disk cannot give it back. */
  | { readonly kind: 'damaged'; readonly error: Error; readonly file: FileId | undefined }
  /** This process may not read it, or has no means to; it says nothing about the bytes. */
  | { readonly kind: 'unreadable'; readonly error: Error }
  /** Evicted, purged, or replaced by a blob that was verified when it came. */
  | { readonly kind: 'gone' };

export interface VerificationOptions {
  /** How fast files may be read. */
  readonly pace: Pace;
  /** Told of bytes as they are read. */
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal;
}

/** Bytes read and hashed at once: about half a millisecond in which nobody else has a turn. */
const chunk = 256 * 1024;

/**
 * Hashes a stored file again. A blob that is replaced or removed meanwhile is no fault. Reads in
 * small steps and lets everybody else have a turn in between.
 * @throws only the signal's reason
 */
export async function verifyBlob(
  path: string,
  digest: Digest,
  options: VerificationOptions,
): Promise<BlobVerdict> {
  let file: FileHandle | undefined;
  let id: FileId | undefined;
  try {
    file = await open(path, 'r');
    id = fileIdOf(await file.stat());
    const { actual, size } = await hash(file, digest, options);
    if (actual === digest) return { kind: 'good', size };
    const isStillThere = (await fileId(path)) === id;
    return isStillThere ? { kind: 'wrong', size, actual, file: id } : { kind: 'gone' };
  } catch (error) {
    options.signal.throwIfAborted();
    if (isMissing(error)) return { kind: 'gone' };
    return isDamage(error)
      ? { kind: 'damaged', error: error as Error, file: id }
      : { kind: 'unreadable', error: error as Error };
  } finally {
    // It was only read: a failing close has nothing to lose.
    await file?.close().catch(() => undefined);
  }
}

/** Whether the bytes of a file are those of the digest. */
export async function isRight(path: string, digest: Digest): Promise<boolean> {
  const { signal } = new AbortController();
  const options = { pace: new Pace(Infinity), onBytes: () => undefined, signal };
  return (await verifyBlob(path, digest, options)).kind === 'good';
}

/** What is to be said of a blob that is not as it should be. */
export function describeVerdict(
  verdict: Exclude<BlobVerdict, { readonly kind: 'good' | 'gone' }>,
): string {
  if (verdict.kind !== 'wrong') return verdict.error.message;
  return verdict.size === 0
    ? 'the file is empty'
    : `its ${verdict.size} bytes are those of ${verdict.actual}`;
}

/** Bytes of a file; undefined where there is none, or none that can be looked at. */
export async function fileSize(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true ? found.size : undefined;
}

async function hash(
  file: FileHandle,
  digest: Digest,
  { pace, onBytes, signal }: VerificationOptions,
): Promise<{ actual: Digest; size: number }> {
  const digester = new Digester(splitDigest(digest).algorithm);
  const buffer = Buffer.allocUnsafeSlow(chunk);
  let size = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, chunk, size);
    if (bytesRead === 0) return { actual: digester.digest(), size };
    digester.update(buffer.subarray(0, bytesRead));
    size += bytesRead;
    onBytes(bytesRead);
    await pace.take(bytesRead, signal);
    await turn();
  }
}
