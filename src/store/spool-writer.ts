import { Digester, splitDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { ReadAt } from './blob-reader.ts';
import type { BlobWriter, SpoolOrigin } from './blob-writer.ts';
import { PassThrough, windowFor } from './pass-through.ts';
import { dropBytes, SpoolFile } from './spool-file.ts';
import type { GrowingSpool } from './spools.ts';
import type { DiskOperation } from './store-observer.ts';

/** What a writer needs of its store. */
export interface SpoolHost {
  /** Commits by `move`, which puts the file into its place, as soon as there is room for it. */
  commit(digest: Digest, bytes: number, move: (path: string) => Promise<void>): Promise<void>;
  /** The process is about to end. */
  isClosing(): boolean;
  /** How many transfers pass through memory. */
  passing(): number;
  /** The spool grows, or will, to a size that is news. */
  grew(): void;
  /** Why a blob of so many bytes cannot be kept, where that is so. */
  refusal(bytes: number): RegistryError | undefined;
  /** The disk refused. */
  failed(operation: DiskOperation, error: unknown): void;
  closed(digest: Digest, spool: GrowingSpool): Promise<void>;
}

/**
 * A blob growing in a spool file, hashed on its way.
 *
 * The file may hold more or other bytes than were ever acknowledged when a machine lost power;
 * so a spool that is found is hashed from its first byte, and only a right final digest counts.
 *
 * Where the disk refuses, at the start or underway, or the blob is larger than all that may be
 * stored, the rest passes through memory: readers get all of it, and nothing is kept.
 */
export class SpoolWriter implements BlobWriter, GrowingSpool {
  readonly #digest: Digest;
  readonly #host: SpoolHost;
  readonly #signal: AbortSignal;
  #file: SpoolFile | undefined;
  #passing: PassThrough | undefined;
  #refusal = new RegistryError('UNAVAILABLE', 'the disk refused the blob: it was passed through');
  #digester: Digester;
  #offset = 0;
  #origin: SpoolOrigin = {};
  #isCommitted = false;

  private constructor(digest: Digest, host: SpoolHost, signal: AbortSignal) {
    this.#digest = digest;
    this.#host = host;
    this.#signal = signal;
    this.#digester = new Digester(splitDigest(digest).algorithm);
  }

  /** Opens the spool of a digest, going on behind the bytes that an earlier writer left. */
  static async open(
    folder: string,
    digest: Digest,
    host: SpoolHost,
    signal: AbortSignal,
  ): Promise<SpoolWriter> {
    const writer = new SpoolWriter(digest, host, signal);
    try {
      writer.#file = await SpoolFile.open(folder);
      await writer.#recover(writer.#file);
      await writer.#passIfTooLarge(writer.#origin.size);
    } catch (error) {
      if (signal.aborted) {
        await writer.#file?.close();
        throw error;
      }
      writer.#host.failed('spool', error);
      writer.#reset();
      await writer.#pass(0);
    }
    return writer;
  }

  get offset(): number {
    return this.#offset;
  }

  get origin(): SpoolOrigin {
    return this.#origin;
  }

  get isKept(): boolean {
    return this.#passing === undefined;
  }

  get isWhole(): boolean {
    return this.#passing?.isWhole ?? true;
  }

  get footprint(): number {
    return this.isKept && !this.#isCommitted ? Math.max(this.#offset, this.#origin.size ?? 0) : 0;
  }

  async setOrigin(origin: SpoolOrigin): Promise<void> {
    if (origin.size === this.#origin.size && origin.etag === this.#origin.etag) return;
    this.#origin = origin;
    await this.#passIfTooLarge(origin.size);
    if (!this.isKept) return;
    this.#host.grew();
    try {
      await this.#file?.writeOrigin(origin);
    } catch (error) {
      // Only a later resume is the worse for it.
      this.#host.failed('spool', error);
    }
  }

  async write(chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) this.#digester.update(chunk);
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    await this.#passIfTooLarge(this.#offset + length);
    const unwritten = this.isKept ? await this.#append(chunks) : chunks;
    await this.#passing?.push(unwritten, this.#signal);
    this.#offset += length;
  }

  readonly read: ReadAt = (buffer, length, position, done) => {
    const passing = this.#passing;
    if (passing === undefined || position < passing.begin) {
      // What the file cannot give any more is read in a second call.
      const most = passing === undefined ? length : Math.min(length, passing.begin - position);
      this.#file!.read(buffer, most, position, done);
      return;
    }
    const count = passing.read(buffer, length, position);
    const gone = count === 0 ? new Error('the reader was left behind: the disk is failing') : null;
    setImmediate(done, gone, count);
  };

  isGone(position: number): boolean {
    return this.#passing?.isGone(position) ?? false;
  }

  forget(position: number): void {
    this.#passing?.forget(position);
  }

  verify(): boolean {
    return this.#digester.digest() === this.#digest;
  }

  async commit(): Promise<void> {
    const file = this.#file;
    if (!this.isKept || file === undefined) throw this.#refusal;
    try {
      await file.sync();
      await this.#host.commit(this.#digest, this.#offset, async (path) => {
        await file.moveTo(path);
        this.#isCommitted = true;
      });
    } catch (error) {
      this.#host.failed('commit', error);
      // It was served, and there is no room for it: at the end of the process it may wait for the next.
      if (!this.#host.isClosing()) await file.remove().catch(() => undefined);
      throw error;
    }
  }

  async restart(): Promise<void> {
    this.#reset();
    if (this.#passing !== undefined) {
      this.#passing = new PassThrough(0, this.#window);
      return;
    }
    try {
      await this.#file!.renew();
      await this.#file!.writeOrigin({});
    } catch (error) {
      this.#host.failed('spool', error);
      await this.#pass(0);
    }
  }

  async discard(): Promise<void> {
    if (this.isKept) await this.#file?.remove();
  }

  async close(): Promise<void> {
    try {
      await this.#file?.close();
    } finally {
      await this.#host.closed(this.#digest, this);
    }
  }

  /** Appends to the file; gives what it did not take, having gone over to memory then. */
  async #append(chunks: readonly Buffer[]): Promise<readonly Buffer[]> {
    const file = this.#file!;
    try {
      await file.append(chunks);
      return [];
    } catch (error) {
      this.#host.failed('spool', error);
      await this.#pass(file.length);
      return dropBytes(chunks, file.length - this.#offset);
    }
  }

  /** It would have everything else evicted first, and be refused in the end all the same. */
  async #passIfTooLarge(size = 0): Promise<void> {
    const refusal = this.isKept ? this.#host.refusal(size) : undefined;
    if (refusal === undefined) return;
    this.#refusal = refusal;
    await this.#pass(this.#offset);
  }

  /** From this position on nothing goes to the disk; what is there is read on, but gives its name up. */
  async #pass(position: number): Promise<void> {
    this.#passing = new PassThrough(position, this.#window);
    // It would keep a full disk full, and a later writer starts its own.
    await this.#file?.remove().catch((error: unknown) => this.#host.failed('spool', error));
  }

  readonly #window = (): number => windowFor(this.#host.passing());

  #reset(): void {
    this.#digester = new Digester(this.#digester.algorithm);
    this.#offset = 0;
    this.#origin = {};
  }

  async #recover(file: SpoolFile): Promise<void> {
    this.#origin = await file.readOrigin();
    const take = (bytes: Buffer): void => this.#digester.update(bytes);
    const isOfUse = await file.readBack(this.#origin.size ?? Infinity, take, this.#signal);
    if (!isOfUse) return this.restart();
    this.#offset = file.length;
  }
}
