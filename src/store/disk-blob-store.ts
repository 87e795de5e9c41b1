import type { Stats } from 'node:fs';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, moveIntoPlace, writeFileAtomic } from '../lib/atomic-file.ts';
import type { BufferPool } from '../lib/buffer-pool.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { PlacedBlobs } from './placed-blobs.ts';
import type { BlobReader } from './blob-reader.ts';
import type { BlobStore } from './blob-store.ts';
import type { StoredBlob } from './blob-walk.ts';
import type { BlobWriter } from './blob-writer.ts';
import { DiskHealth, diskStateOf } from './disk-health.ts';
import type { EvictionPolicy } from './eviction.ts';
import { Evictor, type Evictable } from './evictor.ts';
import { fileIdOf, type FileId } from './file-id.ts';
import { LastUse } from './last-use.ts';
import type { Layout } from './layout.ts';
import { leftoverAge, removeLeftovers } from './leftovers.ts';
import { OpenFile } from './open-file.ts';
import { SpoolWriter, type SpoolHost } from './spool-writer.ts';
import { Spools } from './spools.ts';
import { silentStoreObserver, type DiskOperation, type StoreObserver } from './store-observer.ts';
import { StoreUsage } from './usage.ts';

export interface DiskBlobStoreOptions {
  readonly layout: Layout;
  /** Memory for what is read. */
  readonly pool: BufferPool;
  readonly eviction: EvictionPolicy;
  readonly observer?: StoreObserver | undefined;
}

/** Blobs as files under `blobs/`, downloads in progress under `spool/`. */
export class DiskBlobStore implements BlobStore, Evictable {
  readonly usage: StoreUsage;
  readonly health: DiskHealth;
  readonly evictor: Evictor;
  readonly spools: Spools;
  readonly lastUse: LastUse;
  readonly #layout: Layout;
  readonly #pool: BufferPool;
  readonly #observer: StoreObserver;
  readonly #files: PlacedBlobs;
  /** Those that are being read. */
  readonly #open = new Map<Digest, OpenFile>();

  /** Looks at nothing yet, and changes nothing. */
  constructor(options: DiskBlobStoreOptions) {
    const { layout, pool, eviction, observer = silentStoreObserver } = options;
    this.#layout = layout;
    this.#pool = pool;
    this.#observer = observer;
    this.usage = new StoreUsage(layout);
    this.#files = new PlacedBlobs(layout, this.usage);
    this.spools = new Spools(layout);
    this.lastUse = new LastUse((digest) => layout.blob(digest));
    this.health = new DiskHealth(layout.temporary, (state) => observer.disk(state));
    this.evictor = new Evictor(this, eviction, observer);
  }

  /**
   * Makes the folders and clears what a crash left behind: half-written files, and spools without
   * a byte. What is new stays: another process may be at work on it, such as the one that this one
   * takes over from.
   * @throws the file system's error where the directory cannot be used
   */
  static async open(options: DiskBlobStoreOptions): Promise<DiskBlobStore> {
    const { layout } = options;
    for (const folder of [layout.temporary, layout.blobs, layout.repositories]) {
      await mkdir(folder, { recursive: true });
    }
    // Nothing is downloaded into what was pushed.
    if (layout.part === 'cached') await mkdir(layout.spool, { recursive: true });
    await removeLeftovers(layout, Date.now() - leftoverAge);
    const store = new DiskBlobStore(options);
    await store.#tryDisk();
    await store.spools.scan();
    return store;
  }

  get committed(): number {
    return this.usage.bytes;
  }

  get occupied(): number {
    return this.usage.bytes + this.spools.bytes;
  }

  async stat(digest: Digest): Promise<number | undefined> {
    try {
      return (await stat(this.#layout.blob(digest))).size;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw this.refused('open', error);
    }
  }

  used(digest: Digest): void {
    this.lastUse.note(digest);
  }

  async open(digest: Digest): Promise<BlobReader | undefined> {
    const opened = this.#open.get(digest) ?? (await this.#openFile(digest));
    if (opened === undefined) return undefined;
    this.used(digest);
    return opened.reader(() => {
      if (this.#open.get(digest) === opened) this.#open.delete(digest);
      // So that it counts as used until now.
      this.used(digest);
    });
  }

  async read(digest: Digest, limit: number): Promise<Buffer | undefined> {
    const size = await this.stat(digest);
    if (size === undefined || size > limit) return undefined;
    this.used(digest);
    try {
      return await readFile(this.#layout.blob(digest));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw this.refused('open', error);
    }
  }

  async put(digest: Digest, bytes: Buffer): Promise<void> {
    try {
      await this.#files.place(digest, bytes.length, (path) =>
        writeFileAtomic(path, bytes, { tmpDir: this.#layout.temporary }),
      );
      this.#placed(digest);
    } catch (error) {
      throw this.refused('put', error);
    }
  }

  async create(digest: Digest, signal: AbortSignal): Promise<BlobWriter> {
    return this.#files.serially(digest, async () => {
      const folder = this.#layout.spoolOf(digest);
      const writer = await SpoolWriter.open(folder, digest, this.#host, signal);
      this.spools.opened(digest, writer);
      return writer;
    });
  }

  /**
   * Moves a file into its place whose bytes the caller has verified and synced; durable when it
   * settles. One that is there is replaced, for it may be about to be found wrong.
   * @param size bytes
   * @throws RegistryError UNAVAILABLE
   */
  async adopt(digest: Digest, path: string, size: number): Promise<void> {
    try {
      await this.#files.place(digest, size, (place) => moveIntoPlace(path, place));
    } catch (error) {
      throw this.refused('commit', error);
    }
    // Who comes from now on reads the new one.
    this.#open.delete(digest);
    this.#placed(digest);
  }

  async delete(digest: Digest, only?: FileId): Promise<boolean> {
    const isMeant = (stats: Stats): boolean => only === undefined || fileIdOf(stats) === only;
    const removed = await this.#files.remove(digest, isMeant);
    // Only now: who opened it meanwhile would lend it to all who come later.
    if (only === undefined || this.#open.get(digest)?.id === only) this.#open.delete(digest);
    return removed !== undefined;
  }

  async *survey(signal: AbortSignal): AsyncGenerator<readonly StoredBlob[]> {
    for await (const blobs of this.usage.survey(signal)) {
      yield blobs.map((blob) => {
        const usedAt = Math.max(blob.usedAt, this.lastUse.noted(blob.digest) ?? 0);
        return { ...blob, usedAt };
      });
    }
  }

  async evict({ digest, usedAt }: StoredBlob): Promise<number> {
    const isUnused = ({ mtimeMs }: Stats): boolean =>
      !this.#open.has(digest) && Math.max(mtimeMs, this.lastUse.noted(digest) ?? 0) <= usedAt;
    return (await this.#files.remove(digest, isUnused)) ?? 0;
  }

  leftovers(before: number): number {
    return this.spools.leftovers(before);
  }

  evictLeftovers(before: number, enough: number): Promise<number> {
    return this.spools.removeLeftovers(before, enough, (name, work) =>
      this.#files.serially(name.replace('-', ':'), work),
    );
  }

  /** Counts what is there, behind the running service. */
  async count(signal: AbortSignal): Promise<void> {
    await this.usage.count(signal).catch((error: unknown) => this.refused('count', error));
    this.evictor.counted();
    this.evictor.check();
  }

  /** Ends what goes on behind, and writes down what was used. */
  async close(): Promise<void> {
    this.evictor.stop();
    this.health.stop();
    await this.flush();
  }

  /** Writes down what was used since the last time. */
  async flush(): Promise<void> {
    await this.lastUse.flush().catch((error: unknown) => this.refused('touch', error));
  }

  readonly #host: SpoolHost = {
    commit: async (digest, bytes, move) => {
      await this.evictor.admit(bytes, () => this.#files.place(digest, bytes, move));
      this.#placed(digest);
    },
    isClosing: () => this.evictor.isStopped,
    passing: () => this.spools.passing,
    grew: () => this.evictor.check(),
    refusal: (bytes) => this.evictor.refusal(bytes),
    failed: (operation, error) => void this.refused(operation, error),
    closed: (digest, spool) =>
      this.#files.serially(digest, () => this.spools.closed(digest, spool)),
  };

  #placed(digest: Digest): void {
    this.used(digest);
    this.evictor.check();
  }

  /** Notes a failure of the disk; gives what a caller who cannot go on without fails with. */
  refused(operation: DiskOperation, error: unknown): unknown {
    // No room within the limit is no fault of the disk's.
    if (error instanceof RegistryError) return error;
    this.health.failed(error);
    this.#observer.diskFailed(operation, error);
    const isFull = diskStateOf(error) === 'full';
    if (isFull) this.evictor.relieve();
    const message = isFull ? 'the disk is full' : 'the disk refuses';
    return new RegistryError('UNAVAILABLE', message, { cause: error });
  }

  /** Shows at the start what would otherwise fail at the first pull. A full disk can still be read from. */
  async #tryDisk(): Promise<void> {
    const path = join(this.#layout.temporary, `writable-${process.pid}`);
    try {
      await writeFileAtomic(path, 'yes', { tmpDir: this.#layout.temporary });
      await rm(path);
    } catch (error) {
      if (diskStateOf(error) !== 'full') throw error;
      this.refused('put', error);
    }
  }

  async #openFile(digest: Digest): Promise<OpenFile | undefined> {
    let opened: OpenFile | undefined;
    try {
      opened = await OpenFile.open(this.#layout.blob(digest), this.#pool);
    } catch (error) {
      throw this.refused('open', error);
    }
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
