import { open, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';

/** Bytes one after the other, as the one who reads asks for them. */
export interface ByteSource {
  /**
   * The next bytes, of any number above none; undefined at the end. They stay good until the call
   * after the next one, so that they can be written while others are read.
   * @throws what the file or the stream fails with
   */
  next(): Promise<Buffer | undefined>;
  /** Lets go of what is open; whatever it fails with concerns nobody. */
  close(): Promise<void>;
}

/** Bytes that are read at once. */
const blockSize = 1024 * 1024;

/** What the caller works on, what it still writes, and what is being read. */
const blocks = 3;

/**
 * Files, read as if they were one. The next block is read while the caller works on the last; there is
 * no allocation beyond those few blocks, however much is read.
 */
export class FileSource implements ByteSource {
  readonly #paths: Iterator<string>;
  readonly #buffers: readonly Buffer[];
  #file: FileHandle | undefined;
  #turn = 0;
  #ahead: Promise<Buffer | undefined> | undefined;

  constructor(paths: readonly string[]) {
    this.#paths = paths.values();
    this.#buffers = Array.from({ length: blocks }, () => Buffer.allocUnsafeSlow(blockSize));
  }

  async next(): Promise<Buffer | undefined> {
    const bytes = await (this.#ahead ?? this.#read());
    if (bytes !== undefined) {
      this.#ahead = this.#read();
      // Who asks next hears of it.
      this.#ahead.catch(() => undefined);
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#ahead?.catch(() => undefined);
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
  }

  async #read(): Promise<Buffer | undefined> {
    const buffer = this.#buffers[this.#turn++ % blocks];
    for (;;) {
      this.#file ??= await this.#open();
      if (this.#file === undefined || buffer === undefined) return undefined;
      const { bytesRead } = await this.#file.read(buffer, 0, blockSize);
      if (bytesRead > 0) return buffer.subarray(0, bytesRead);
      await this.#file.close();
      this.#file = undefined;
    }
  }

  async #open(): Promise<FileHandle | undefined> {
    const { done, value } = this.#paths.next();
    return done === true ? undefined : open(value, 'r');
  }
}

/** A stream, such as standard input. */
export class StreamSource implements ByteSource {
  readonly #stream: Readable;
  readonly #chunks: AsyncIterator<unknown>;

  constructor(stream: Readable) {
    this.#stream = stream;
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const { done, value } = await this.#chunks.next();
      if (done === true) return undefined;
      const bytes = value as Buffer;
      if (bytes.length > 0) return bytes;
    }
  }

  close(): Promise<void> {
    this.#stream.destroy();
    return Promise.resolve();
  }
}

/** Bytes that were read already, and then those of a source. */
export class RewoundSource implements ByteSource {
  readonly #rest: ByteSource;
  #first: Buffer[];

  constructor(first: readonly Buffer[], rest: ByteSource) {
    this.#first = [...first];
    this.#rest = rest;
  }

  async next(): Promise<Buffer | undefined> {
    return this.#first.shift() ?? (await this.#rest.next());
  }

  close(): Promise<void> {
    return this.#rest.close();
  }
}
