import { read, writev } from 'node:fs';
import { mkdir, open, readFile, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { moveIntoPlace } from '../lib/atomic-file.ts';
import { Digester, splitDigest, type Digest } from '../oci/digest.ts';
import type { ReadAt } from './blob-reader.ts';
import type { BlobWriter, SpoolOrigin } from './blob-writer.ts';
import type { Layout } from './layout.ts';
import type { StoreUsage } from './usage.ts';

const writevAsync = promisify(writev);

/** Bytes read at once when a spool that was left behind is hashed again. */
const rehashChunk = 1024 * 1024;

/**
 * A blob growing in `spool/<digest>/data`, with what is known of its origin in `origin.json`.
 *
 * The file may hold more or other bytes than were ever acknowledged when a machine lost power;
 * so a spool that is found is hashed from its first byte, and only a right final digest counts.
 */
export class SpoolWriter implements BlobWriter {
  readonly #layout: Layout;
  readonly #digest: Digest;
  readonly #folder: string;
  #file: FileHandle;
  readonly #usage: StoreUsage;
  #digester: Digester;
  #offset = 0;
  #origin: SpoolOrigin = {};

  private constructor(layout: Layout, digest: Digest, usage: StoreUsage, file: FileHandle) {
    this.#layout = layout;
    this.#usage = usage;
    this.#digest = digest;
    this.#folder = layout.spoolOf(digest);
    this.#file = file;
    this.#digester = new Digester(splitDigest(digest).algorithm);
  }

  /** Opens the spool of a digest, going on behind the bytes that an earlier writer left. */
  static async open(
    layout: Layout,
    digest: Digest,
    usage: StoreUsage,
    signal: AbortSignal,
  ): Promise<SpoolWriter> {
    const folder = layout.spoolOf(digest);
    await mkdir(folder, { recursive: true });
    // 'a+' creates without truncating and appends; reads give their own position.
    const file = await open(join(folder, 'data'), 'a+');
    const writer = new SpoolWriter(layout, digest, usage, file);
    try {
      await writer.#recover(signal);
      return writer;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get offset(): number {
    return this.#offset;
  }

  get origin(): SpoolOrigin {
    return this.#origin;
  }

  async setOrigin(origin: SpoolOrigin): Promise<void> {
    if (origin.size === this.#origin.size && origin.etag === this.#origin.etag) return;
    this.#origin = origin;
    await writeFile(join(this.#folder, 'origin.json'), JSON.stringify(origin));
  }

  async write(chunks: readonly Buffer[]): Promise<void> {
    let left: readonly Buffer[] = chunks;
    for (const chunk of left) this.#digester.update(chunk);
    while (left.length > 0) {
      const { bytesWritten } = await writevAsync(this.#file.fd, left);
      left = dropBytes(left, bytesWritten);
      this.#offset += bytesWritten;
    }
  }

  readonly read: ReadAt = (buffer, length, position, done) => {
    read(this.#file.fd, buffer, 0, length, position, done);
  };

  verify(): boolean {
    return this.#digester.digest() === this.#digest;
  }

  async commit(): Promise<void> {
    const path = this.#layout.blob(this.#digest);
    await this.#file.sync();
    const replaced = await stat(path).catch(() => undefined);
    await moveIntoPlace(join(this.#folder, 'data'), path);
    this.#usage.added(this.#offset - (replaced?.size ?? 0), replaced === undefined ? 1 : 0);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async restart(): Promise<void> {
    // A new file, not a shorter one: readers of an earlier download may still be reading the old.
    await rm(join(this.#folder, 'data'), { force: true });
    const old = this.#file;
    this.#file = await open(join(this.#folder, 'data'), 'a+');
    await old.close();
    this.#digester = new Digester(this.#digester.algorithm);
    this.#offset = 0;
    await this.setOrigin({});
  }

  async discard(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #recover(signal: AbortSignal): Promise<void> {
    const { size } = await this.#file.stat();
    if (size === 0) return;
    this.#origin = await readOrigin(join(this.#folder, 'origin.json'));
    if (this.#origin.size !== undefined && size > this.#origin.size) return this.restart();
    const buffer = Buffer.allocUnsafe(rehashChunk);
    while (this.#offset < size) {
      signal.throwIfAborted();
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#offset);
      if (bytesRead === 0) break;
      this.#digester.update(buffer.subarray(0, bytesRead));
      this.#offset += bytesRead;
    }
  }
}

function dropBytes(chunks: readonly Buffer[], count: number): readonly Buffer[] {
  let index = 0;
  let left = count;
  for (; index < chunks.length; index++) {
    const chunk = chunks[index]!;
    if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(index + 1)];
    left -= chunk.length;
  }
  return [];
}

async function readOrigin(path: string): Promise<SpoolOrigin> {
  try {
    const { size, etag } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    return {
      size: Number.isSafeInteger(size) ? (size as number) : undefined,
      etag: typeof etag === 'string' ? etag : undefined,
    };
  } catch {
    // Written without fsync: after a crash it may be missing or torn. The bytes are still good
    // for a resume without If-Range, and the digest decides in the end.
    return {};
  }
}
