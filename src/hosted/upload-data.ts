import { writev } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isMissing } from '../lib/atomic-file.ts';
import { freeMemory } from '../lib/free-memory.ts';
import { pump, type PumpEnd } from '../lib/pump.ts';
import { Digester, type Digest, type DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { dropBytes } from '../store/spool-file.ts';

const writevAsync = promisify(writev);

/** Bytes read and hashed at once: about half a millisecond in which nobody else has a turn. */
const rehashChunk = 256 * 1024;

/**
 * The bytes of an upload in progress, hashed on their way into their file. The hash is in memory
 * only: where it and the file disagree, as after a restart or a failed write, the file is read again.
 */
export class UploadData {
  readonly path: string;
  readonly #algorithm: DigestAlgorithm;
  #size: number;
  /** Of all that is in the file; undefined where nobody has it. */
  #digester: Digester | undefined;

  /**
   * @param size bytes that are there already
   * @param algorithm the one that is most likely asked for
   */
  constructor(path: string, size: number, algorithm: DigestAlgorithm) {
    this.path = path;
    this.#size = size;
    this.#algorithm = algorithm;
    this.#digester = size === 0 ? new Digester(algorithm) : undefined;
  }

  /** Bytes in the file. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends what comes.
   * @param open gives the stream, once everything is ready for it
   * @param room bytes that may come; the chunk that is too much is not taken
   * @returns how the stream ended; what came before is kept in any case
   * @throws RegistryError SIZE_LIMIT; the disk's error; the signal's reason before a byte was taken
   */
  async append(open: () => Readable, room: number, signal: AbortSignal): Promise<PumpEnd> {
    const file = await openData(this.path);
    try {
      const digester = (this.#digester ??= await this.#rehash(file, this.#algorithm, signal));
      let left = room;
      // Until all that was hashed is written, the hash is of no use to anybody else.
      this.#digester = undefined;
      const end = await pump(
        open(),
        {
          take(chunk) {
            if (chunk.length > left) throw new RegistryError('SIZE_LIMIT');
            left -= chunk.length;
            digester.update(chunk);
          },
          write: async (chunks) => {
            await this.#write(file, chunks);
            for (const chunk of chunks) freeMemory(chunk);
          },
        },
        signal,
      );
      this.#digester = digester;
      return end;
    } finally {
      await file.close();
    }
  }

  /**
   * The digest of all that came; the file is read again where it was not hashed that way.
   * @throws the disk's error, or the signal's reason
   */
  async digest(algorithm: DigestAlgorithm, signal: AbortSignal): Promise<Digest> {
    if (this.#digester?.algorithm === algorithm) return this.#digester.soFar();
    const file = await openData(this.path);
    try {
      const digester = await this.#rehash(file, algorithm, signal);
      return digester.soFar();
    } finally {
      await file.close();
    }
  }

  /**
   * Makes the file durable, its name not included; there is one afterwards also where no byte came.
   * Only here, at the end: syncing while bytes still come was measured to cost twice the time.
   */
  async sync(): Promise<void> {
    const file = await openData(this.path);
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  async #write(file: FileHandle, chunks: readonly Buffer[]): Promise<void> {
    let left = chunks;
    while (left.length > 0) {
      const { bytesWritten } = await writevAsync(file.fd, left);
      left = dropBytes(left, bytesWritten);
      this.#size += bytesWritten;
    }
  }

  /** Hashes what is in the file, which may be more or less than was known. */
  async #rehash(
    file: FileHandle,
    algorithm: DigestAlgorithm,
    signal: AbortSignal,
  ): Promise<Digester> {
    const digester = new Digester(algorithm);
    const buffer = Buffer.allocUnsafeSlow(rehashChunk);
    for (let size = 0; ;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, rehashChunk, size);
      size += bytesRead;
      if (bytesRead === 0) {
        this.#size = size;
        return digester;
      }
      digester.update(buffer.subarray(0, bytesRead));
      await turn();
    }
  }
}

/** Bytes of an upload's file; 0 where there is none yet. */
export async function sizeOfData(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

/** 'a+' creates without truncating and appends; reads give their own position. */
function openData(path: string): Promise<FileHandle> {
  return open(path, 'a+');
}
