import { largeBuffer, type BufferPool } from '../lib/buffer-pool.ts';
import type { RegistryError } from '../oci/errors.ts';
import type { BlobReader } from '../store/blob-reader.ts';
import type { BlobWriter } from '../store/blob-writer.ts';
import { SharedBlocks } from '../store/shared-blocks.ts';
import { lengthOf } from './chunk-batches.ts';

/** Bytes by which the blob grows for each reader before all are woken: a wake-up has its price. */
const batchPerReader = 10 * 1024;

/** Milliseconds after which readers are woken for whatever has come. */
const maxPause = 50;

/** Bytes at the end of a blob that no reader sees before the digest is verified. */
export const withheld = 64 * 1024;

/**
 * What the readers of a running download share: how far the spool may be read, and a wake-up for
 * those at its edge. Closes the spool when the writer is done and the last reader has left.
 */
export class GrowingBlob {
  readonly #blocks: SharedBlocks;
  readonly #onIdle: () => void;
  /** Where each reader is; what the disk did not take is kept from there on. */
  readonly #places = new Set<{ position: number }>();
  #writer: BlobWriter | undefined;
  #size: number | undefined;
  /** What readers may have; moves in batches, behind what has arrived. */
  #visible = 0;
  #arrived = 0;
  #pause: NodeJS.Timeout | undefined;
  #complete = false;
  #failure: RegistryError | undefined;
  #waiting: (() => void)[] = [];
  #writerDone = false;

  /**
   * @param pool memory for what is read
   * @param onIdle called whenever the last reader leaves while the writer is still at work
   */
  constructor(pool: BufferPool, onIdle: () => void) {
    this.#onIdle = onIdle;
    this.#blocks = new SharedBlocks((buffer, length, position, done) => {
      this.#writer!.read(buffer, length, position, done);
    }, pool);
  }

  /** Bytes of the whole, once known. */
  get size(): number | undefined {
    return this.#size;
  }

  get readers(): number {
    return this.#blocks.readers;
  }

  /** Bytes that readers can have now. */
  get visible(): number {
    return this.#visible;
  }

  /** Whether a new reader could still have all of it. */
  get isWhole(): boolean {
    return this.#writer?.isWhole ?? true;
  }

  /** Whether the disk takes what arrives. */
  get isKept(): boolean {
    return this.#writer?.isKept ?? true;
  }

  /** Ties it to the spool that it is read from. */
  open(writer: BlobWriter): void {
    this.#writer = writer;
  }

  /** Takes over the size that the upstream announced, and what the spool already held. */
  announce(size: number | undefined, offset: number): void {
    this.#size = size;
    this.#show(offset);
  }

  /** Notes that the spool has grown by these bytes, and now ends at `offset`. */
  grew(chunks: readonly Buffer[], offset: number): void {
    let end = offset - lengthOf(chunks);
    for (const chunk of chunks) {
      end += chunk.length;
      this.#blocks.push(chunk, end);
    }
    this.#forget();
    this.#show(offset);
  }

  /** Everything is there and verified: the withheld bytes become visible. */
  complete(size: number): void {
    this.#size = size;
    this.#arrived = size;
    this.#complete = true;
    this.#publish();
  }

  /** The rest will never come. Of no effect once complete. */
  fail(failure: RegistryError): void {
    this.#failure = failure;
    this.#publish();
  }

  /** The writer has no more use for the spool. */
  writerDone(): void {
    this.#writerDone = true;
    if (this.readers === 0) this.#release();
  }

  /** A new reader; close it. */
  reader(): BlobReader {
    this.#blocks.join();
    const place = { position: 0 };
    this.#places.add(place);
    this.#forget();
    let closed = false;
    const close = (): void => {
      if (closed) return;
      closed = true;
      this.#blocks.leave();
      this.#places.delete(place);
      this.#forget();
      if (this.readers > 0) return;
      if (this.#writerDone) this.#release();
      else this.#onIdle();
    };
    const sizeNow = (): number | undefined => this.#size;
    return {
      get size() {
        return sizeNow();
      },
      available: (position) => {
        this.#move(place, position);
        return this.available(position);
      },
      arrival: (position) => {
        this.#move(place, position);
        return this.arrival(position);
      },
      next: (position, max, pace, done) =>
        this.#blocks.next(position, max, this.#visible, pace, done),
      close,
    };
  }

  /** See {@link BlobReader.available}. */
  available(position: number): number {
    return Math.max(0, this.#visible - position);
  }

  /** See {@link BlobReader.arrival}. */
  async arrival(position: number): Promise<number> {
    while (position >= this.#visible) {
      if (this.#complete) return 0;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.#visible - position;
  }

  #move(place: { position: number }, position: number): void {
    place.position = position;
    this.#forget();
  }

  /** Lets go of what no reader needs any more, where it is not on the disk. */
  #forget(): void {
    const writer = this.#writer;
    if (writer === undefined || writer.isKept) return;
    let first = Infinity;
    for (const { position } of this.#places) {
      if (!writer.isGone(position)) first = Math.min(first, position);
    }
    // Shared blocks are read from their beginning.
    if (first < Infinity) writer.forget(first - (first % largeBuffer));
  }

  #show(offset: number): void {
    const end = this.#size ?? offset;
    const arrived = Math.min(offset, Math.max(0, end - withheld));
    if (arrived <= this.#arrived) return;
    this.#arrived = arrived;
    const batch = Math.min(largeBuffer, this.readers * batchPerReader);
    if (this.#visible === 0 || arrived === end - withheld || arrived - this.#visible >= batch) {
      this.#publish();
    } else {
      this.#pause ??= setTimeout(() => this.#publish(), maxPause);
    }
  }

  #publish(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#visible = this.#arrived;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  #release(): void {
    const writer = this.#writer;
    this.#writer = undefined;
    // Closing a spool that was committed or given up has nothing left to lose.
    writer?.close().catch(() => undefined);
  }
}
