import { mkdir, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, syncDirectory, writeFileAtomic } from '../lib/atomic-file.ts';
import { FolderLock } from '../lib/folder-lock.ts';
import type { TarReader } from '../lib/tar-reader.ts';
import { Digester, digestOf, isDigest, splitDigest, type Digest } from '../oci/digest.ts';
import { bundleFiles } from './bundle-layout.ts';
import { wrongBytes } from './faults.ts';
import { StagedFile, stagedName } from './staged-file.ts';

/** The folder of all that is staged: `<data>/v1/imports`. */
export function importsFolder(root: string): string {
  return join(root, 'imports');
}

/** What a staged import is called: hex, so that it is safe as a file name. */
export function isStagingId(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);
}

/** Files that are synced beside those that are written. */
const lanes = 8;

/** Nothing is held: for a file system that knows no locks. */
const unlocked: Disposable = { [Symbol.dispose]: () => undefined };

/**
 * Keeps others from what is staged under an id; undefined where somebody is at work on it. Where there can
 * be no locks, whoever has the lock of the data directory was told.
 */
export function lockStaging(root: string, id: string): Disposable | undefined {
  try {
    return FolderLock.take(join(importsFolder(root), id, 'lock'));
  } catch {
    return unlocked;
  }
}

/** Whether what lies under a digest has so many bytes somewhere that it need not be brought again. */
export type IsStored = (digest: Digest, size: number) => Promise<boolean>;

/** Told of bytes of content that were read, and of those of them that were written. */
export type OnBytes = (read: number, written: number) => void;

/**
 * Where content waits that comes out of a file, until all of it is there and right: a folder of its own
 * for each such file, of blobs under their digests. What has its name is whole and synced, so that who
 * comes again does not write it again. Nothing in it is visible to anybody.
 */
export class Staging {
  readonly id: string;
  readonly #folder: string;
  readonly #parent: string;
  /** Bytes of the blobs that lie here. */
  #found: Map<string, number> | undefined;
  readonly #keeping = new Set<Promise<void>>();
  #failure: Error | undefined;
  #count = 0;

  /** @param root the versioned data folder, `<data>/v1` */
  constructor(root: string, id: string) {
    this.id = id;
    this.#parent = importsFolder(root);
    this.#folder = join(this.#parent, id);
  }

  /** Makes the folder, and clears away what somebody was about to write there. To be called by one at a time. */
  async open(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    for (const name of await readdir(this.#folder)) {
      if (!name.startsWith(growing)) continue;
      await rm(join(this.#folder, name), { recursive: true, force: true });
    }
  }

  /** Where a blob lies, if it does. */
  path(digest: Digest): string {
    return join(this.#folder, stagedName(digest));
  }

  /** Whether a blob lies here. */
  async has(digest: Digest, size: number): Promise<boolean> {
    this.#found ??= await sizesIn(this.#folder);
    return this.#found.get(stagedName(digest)) === size;
  }

  /** Bytes of all that lies here. */
  async bytes(): Promise<number> {
    this.#found ??= await sizesIn(this.#folder);
    return [...this.#found.values()].reduce((sum, size) => sum + size, 0);
  }

  /** A small file, or undefined where it is not there or has more bytes than the limit. */
  async read(
    name: Digest | 'baleen.json' | 'baleen.sig',
    limit: number,
  ): Promise<Buffer | undefined> {
    const path = isDigest(name) ? this.path(name) : join(this.#folder, name);
    try {
      return (await stat(path)).size > limit ? undefined : await readFile(path);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Keeps a small blob, whose digest the caller has verified. */
  async put(digest: Digest, bytes: Buffer): Promise<void> {
    if (await this.has(digest, bytes.length)) return;
    await this.#beside(
      writeFileAtomic(this.path(digest), bytes, { tmpDir: this.#growing('small') }),
    );
    this.#found?.set(stagedName(digest), bytes.length);
  }

  /** Keeps what says which images these are, and who vouches for it, where somebody does. */
  async describe(digests: Buffer, signature: Buffer | undefined): Promise<void> {
    const options = { tmpDir: this.#growing('small') };
    const signed = join(this.#folder, bundleFiles.signature);
    if (signature === undefined) await rm(signed, { force: true });
    else await writeFileAtomic(signed, signature, options);
    await writeFileAtomic(join(this.#folder, bundleFiles.digests), digests, options);
  }

  /**
   * Reads a blob out of an archive, hashes it, and keeps it where it is not kept yet.
   * @returns whether it was written
   * @throws RegistryError BUNDLE_INVALID where its bytes are not those of the digest; TarFault; the
   *   disk's error
   */
  async take(
    reader: TarReader,
    blob: { digest: Digest; size: number },
    isKept: boolean,
    onBytes: OnBytes,
  ): Promise<boolean> {
    const { digest, size } = blob;
    if (isKept || (await this.has(digest, size))) {
      await passOver(reader, blob, onBytes);
      return false;
    }
    await this.#write(reader, digest, onBytes);
    return true;
  }

  /** The same for what only its bytes tell the digest of. */
  async takeUnknown(
    reader: TarReader,
    onBytes: OnBytes,
  ): Promise<{ digest: Digest; size: number }> {
    return this.#write(reader, undefined, onBytes);
  }

  /** Settles when all that was taken is synced and has its name. @throws the disk's error */
  async settled(): Promise<void> {
    await Promise.all(this.#keeping);
    if (this.#failure !== undefined) throw this.#failure;
    await syncDirectory(this.#folder);
  }

  /** Takes a blob away that nothing names. */
  async drop(digest: Digest): Promise<void> {
    await rm(this.path(digest), { force: true });
    this.#found?.delete(stagedName(digest));
  }

  /** Takes everything away. */
  async discard(): Promise<void> {
    await Promise.all(this.#keeping);
    await rm(this.#folder, { recursive: true, force: true });
    // Others may be staged; where none are, nothing is left of it all.
    await rmdir(this.#parent).catch(() => undefined);
  }

  async #write(
    reader: TarReader,
    expected: Digest | undefined,
    onBytes: OnBytes,
  ): Promise<{ digest: Digest; size: number }> {
    const algorithm = expected === undefined ? 'sha256' : splitDigest(expected).algorithm;
    const file = await StagedFile.create(this.#growing(`blob-${++this.#count}`), algorithm);
    let digest: Digest;
    let isThere: boolean;
    try {
      for (;;) {
        const bytes = await reader.read();
        if (bytes === undefined) break;
        await file.write(bytes);
        onBytes(bytes.length, bytes.length);
      }
      digest = await file.digest();
      if (expected !== undefined && digest !== expected) throw wrongBytes(expected, digest);
      isThere = await this.has(digest, file.size);
    } catch (error) {
      await file.discard();
      throw error;
    }
    const { size } = file;
    if (isThere) await file.discard();
    else await this.#beside(file.keep(this.path(digest)));
    this.#found?.set(stagedName(digest), size);
    return { digest, size };
  }

  /** Lets some work be done beside what goes on, and waits only where much is under way. */
  async #beside(work: Promise<void>): Promise<void> {
    const done: Promise<void> = work
      .catch((error: unknown) => {
        this.#failure ??= error as Error;
      })
      .finally(() => this.#keeping.delete(done));
    this.#keeping.add(done);
    if (this.#keeping.size >= lanes) await Promise.race(this.#keeping);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #growing(name: string): string {
    return join(this.#folder, `${growing}${name}`);
  }
}

/** What files and folders are called in which something is about to be written. */
const growing = 'growing-';

async function sizesIn(folder: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const name of await namesIn(folder)) {
    if (!isDigest(name.replace('-', ':'))) continue;
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found?.isFile() === true) sizes.set(name, found.size);
  }
  return sizes;
}

/** What lies in a folder; nothing where there is none. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/**
 * Reads a blob out of an archive and keeps nothing but an eye on its bytes.
 * @throws RegistryError BUNDLE_INVALID where they are not those of the digest; TarFault
 */
export async function passOver(
  reader: TarReader,
  { digest }: { digest: Digest },
  onBytes: OnBytes,
): Promise<void> {
  const digester = new Digester(splitDigest(digest).algorithm);
  for (;;) {
    const bytes = await reader.read();
    if (bytes === undefined) break;
    digester.update(bytes);
    onBytes(bytes.length, 0);
  }
  const actual = digester.digest();
  if (actual !== digest) throw wrongBytes(digest, actual);
}

/** Reads a small blob out of an archive. */
export async function takeSmall(
  reader: TarReader,
  { digest, size }: { digest: Digest; size: number },
  onBytes: OnBytes,
): Promise<Buffer> {
  const bytes = await reader.whole(size);
  onBytes(size, 0);
  const actual = digestOf(bytes, splitDigest(digest).algorithm);
  if (actual !== digest) throw wrongBytes(digest, actual);
  return bytes;
}
