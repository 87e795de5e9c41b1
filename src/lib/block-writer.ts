/** Takes blocks of bytes in order; a block may be used again when the call settles. */
export type BlockSink = (block: Buffer) => Promise<void>;

/** Bytes of a block: large enough that a call for each costs nothing, and small beside any limit. */
const blockSize = 1024 * 1024;

/** One is filled, one is written, and two are there for whoever reads ahead. */
const blockCount = 4;

/**
 * Gathers a stream of bytes in large blocks, and writes one while the next is filled. Who has bytes in
 * a file reads them right into the {@link space} that comes next, so that nothing is copied.
 */
export class BlockWriter {
  readonly #sink: BlockSink;
  readonly #free: Buffer[];
  #block: Buffer | undefined;
  /** Bytes of the present block that are filled. */
  #filled = 0;
  /** Settles when everything up to here is written; it never rejects. */
  #written: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #wakeUp: (() => void) | undefined;

  constructor(sink: BlockSink, size = blockSize) {
    this.#sink = sink;
    this.#free = Array.from({ length: blockCount }, () => Buffer.allocUnsafeSlow(size));
  }

  /**
   * Where the next bytes go: the rest of a block, of at least one byte. Waits while all blocks are
   * being written.
   * @throws what the sink failed with
   */
  async space(): Promise<Buffer> {
    while (this.#block === undefined) {
      this.#throwIfFailed();
      this.#block = this.#free.pop();
      if (this.#block !== undefined) break;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wakeUp = resolve;
      await promise;
    }
    return this.#block.subarray(this.#filled);
  }

  /** Says that so many bytes of the {@link space} are filled. They may still be looked at until its owner waits for something. */
  advance(bytes: number): void {
    const block = this.#block;
    if (block === undefined) return;
    this.#filled += bytes;
    if (this.#filled < block.length) return;
    this.#block = undefined;
    this.#filled = 0;
    this.#write(block, block);
  }

  /** Copies bytes behind those before. */
  async put(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const space = await this.space();
      const part = bytes.subarray(at, at + space.length);
      space.set(part);
      this.advance(part.length);
      at += part.length;
    }
  }

  /**
   * Writes what is left, and waits until all is written.
   * @throws what the sink failed with
   */
  async end(): Promise<void> {
    const block = this.#block;
    if (block !== undefined && this.#filled > 0)
      this.#write(block, block.subarray(0, this.#filled));
    this.#block = undefined;
    await this.#written;
    this.#throwIfFailed();
  }

  /** Waits until nothing is being written any more; for who gives up. */
  settled(): Promise<void> {
    return this.#written;
  }

  #write(block: Buffer, bytes: Buffer): void {
    this.#written = this.#written.then(async () => {
      try {
        if (this.#failure === undefined) await this.#sink(bytes);
      } catch (error) {
        this.#failure = { error };
      }
      this.#free.push(block);
      this.#wakeUp?.();
    });
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
