import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import type { BufferPool } from '../lib/buffer-pool.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobReader } from './blob-reader.ts';
import type { BlobStore } from './blob-store.ts';
import type { BlobWriter } from './blob-writer.ts';
import type { Layout } from './layout.ts';
import { OpenFile } from './open-file.ts';
import { SpoolWriter } from './spool-writer.ts';
import { StoreUsage } from './usage.ts';

/** Blobs as files under `blobs/`, downloads in progress under `spool/`. */
export class DiskBlobStore implements BlobStore {
  readonly usage: StoreUsage;
  readonly #layout: Layout;
  readonly #pool: BufferPool;
  /** Those that are being read. */
  readonly #open = new Map<Digest, OpenFile>();

  private constructor(layout: Layout, pool: BufferPool) {
    this.#layout = layout;
    this.#pool = pool;
    this.usage = new StoreUsage(layout.blobs);
  }

  /**
   * Makes the folders and clears what a crash left behind: half-written files, and partial
   * downloads that nobody came back for.
   * @param pool memory for what is read
   * @param spoolTtl milliseconds after its last byte that a partial download is kept
   * @throws the file system's error where the directory cannot be used
   */
  static async open(layout: Layout, pool: BufferPool, spoolTtl: number): Promise<DiskBlobStore> {
    await rm(layout.temporary, { recursive: true, force: true });
    for (const folder of [layout.temporary, layout.blobs, layout.spool, layout.repositories]) {
      await mkdir(folder, { recursive: true });
    }
    // Shows at the start what would otherwise fail at the first pull.
    const probe = join(layout.temporary, 'writable');
    await writeFileAtomic(probe, 'yes', { tmpDir: layout.temporary });
    await rm(probe);
    await removeAbandoned(layout.spool, Date.now() - spoolTtl);
    return new DiskBlobStore(layout, pool);
  }

  async stat(digest: Digest): Promise<number | undefined> {
    try {
      return (await stat(this.#layout.blob(digest))).size;
    } catch (error) {
      return ifMissing(error, undefined);
    }
  }

  async open(digest: Digest): Promise<BlobReader | undefined> {
    const opened = this.#open.get(digest) ?? (await this.#openFile(digest));
    return opened?.reader(() => {
      if (this.#open.get(digest) === opened) this.#open.delete(digest);
    });
  }

  async read(digest: Digest, limit: number): Promise<Buffer | undefined> {
    const size = await this.stat(digest);
    if (size === undefined || size > limit) return undefined;
    try {
      return await readFile(this.#layout.blob(digest));
    } catch (error) {
      return ifMissing(error, undefined);
    }
  }

  async put(digest: Digest, bytes: Buffer): Promise<void> {
    const known = await this.stat(digest);
    await writeFileAtomic(this.#layout.blob(digest), bytes, { tmpDir: this.#layout.temporary });
    this.usage.added(bytes.length - (known ?? 0), known === undefined ? 1 : 0);
  }

  async create(digest: Digest, signal: AbortSignal): Promise<BlobWriter> {
    return SpoolWriter.open(this.#layout, digest, this.usage, signal);
  }

  async delete(digest: Digest): Promise<boolean> {
    const size = await this.stat(digest);
    if (size === undefined) return false;
    this.#open.delete(digest);
    try {
      await rm(this.#layout.blob(digest));
    } catch (error) {
      return ifMissing(error, false);
    }
    this.usage.added(-size, -1);
    return true;
  }

  async #openFile(digest: Digest): Promise<OpenFile | undefined> {
    const opened = await OpenFile.open(this.#layout.blob(digest), this.#pool);
    if (opened === undefined) return undefined;
    const other = this.#open.get(digest);
    if (other?.size === opened.size) {
      // Somebody else was as quick.
      opened.close();
      return other;
    }
    this.#open.set(digest, opened);
    return opened;
  }
}

async function removeAbandoned(spool: string, before: number): Promise<void> {
  for (const name of await readdir(spool)) {
    const folder = join(spool, name);
    const newest = await stat(join(folder, 'data')).catch(() => undefined);
    if (newest === undefined || newest.mtimeMs < before) {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

function ifMissing<T>(error: unknown, value: T): T {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return value;
  throw error;
}
