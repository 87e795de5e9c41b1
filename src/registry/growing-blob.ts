import type { RegistryError } from '../oci/errors.ts';
import type { BlobReader } from '../store/blob-reader.ts';
import type { BlobWriter } from '../store/blob-writer.ts';
import { MemoryTail } from './memory-tail.ts';

/** Bytes at the end of a blob that no reader sees before the digest is verified. */
export const withheld = 64 * 1024;

/**
 * What the readers of a running download share: how far the spool may be read, and a wake-up for
 * those at its edge. Closes the spool when the writer is done and the last reader has left.
 */
export class GrowingBlob {
  readonly #tail = new MemoryTail();
  readonly #onIdle: () => void;
  #writer: BlobWriter | undefined;
  #size: number | undefined;
  #visible = 0;
  #complete = false;
  #failure: RegistryError | undefined;
  #waiting: (() => void)[] = [];
  #readers = 0;
  #writerDone = false;

  /** @param onIdle called whenever the last reader leaves while the writer is still at work */
  constructor(onIdle: () => void) {
    this.#onIdle = onIdle;
  }

  /** Bytes of the whole, once known. */
  get size(): number | undefined {
    return this.#size;
  }

  get readers(): number {
    return this.#readers;
  }

  /** Bytes that readers can have now. */
  get visible(): number {
    return this.#visible;
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

  /** Notes that the spool has grown by this block, and now ends at `offset`. */
  grew(block: Buffer, offset: number): void {
    this.#tail.push(offset, block);
    this.#show(offset);
  }

  /** Everything is there and verified: the withheld bytes become visible. */
  complete(size: number): void {
    this.#size = size;
    this.#visible = size;
    this.#complete = true;
    this.#wake();
  }

  /** The rest will never come. Of no effect once complete. */
  fail(failure: RegistryError): void {
    this.#failure = failure;
    this.#wake();
  }

  /** The writer has no more use for the spool. */
  writerDone(): void {
    this.#writerDone = true;
    this.#tail.clear();
    if (this.#readers === 0) this.#release();
  }

  /** A new reader; close it. */
  reader(): BlobReader {
    this.#readers++;
    let closed = false;
    const close = (): void => {
      if (closed) return;
      closed = true;
      this.#readers--;
      if (this.#readers > 0) return;
      if (this.#writerDone) this.#release();
      else this.#onIdle();
    };
    // oxlint-disable-next-line typescript/no-this-alias -- the getter below has a `this` of its own
    const blob = this;
    return {
      get size() {
        return blob.#size;
      },
      available: (position) => this.available(position),
      view: (position) => this.#tail.view(position, this.#visible),
      read: (buffer, length, position, done) => {
        this.#writer!.read(buffer, length, position, done);
      },
      close,
    };
  }

  /** See {@link BlobReader.available}. */
  available(position: number): number | Promise<number> {
    if (position < this.#visible) return this.#visible - position;
    if (this.#complete) return 0;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise<void>((resolve) => this.#waiting.push(resolve)).then(() =>
      this.available(position),
    );
  }

  #show(offset: number): void {
    const end = this.#size ?? offset;
    const visible = Math.min(offset, Math.max(0, end - withheld));
    if (visible <= this.#visible) return;
    this.#visible = visible;
    this.#wake();
  }

  #wake(): void {
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
