import { fsync, write } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { RegistryError } from '../oci/errors.ts';
import type { BundleOutput } from './bundle-output.ts';

/** How long to wait until a pipe that is full is tried again, in milliseconds. */
const fullPipe = 5;

/** Something that is open already, such as standard output: a pipe, a file, a device. */
export class DescriptorOutput implements BundleOutput {
  readonly #descriptor: number;
  readonly #close: () => Promise<void>;

  /** @param close what to do in the end */
  constructor(descriptor: number, close: () => Promise<void> = () => Promise.resolve()) {
    this.#descriptor = descriptor;
    this.#close = close;
  }

  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#writeSome(bytes.subarray(at));
  }

  async finish(): Promise<void> {
    // A pipe has nothing to be synced.
    await promisify(fsync)(this.#descriptor).catch((error: unknown) => {
      if (!['EINVAL', 'EROFS', 'ENOTSUP'].includes(codeOf(error))) throw error;
    });
    await this.#close();
  }

  /** Whoever reads it sees a tar without an end. */
  async abandon(): Promise<void> {
    await this.#close().catch(() => undefined);
  }

  async #writeSome(bytes: Buffer): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    write(this.#descriptor, bytes, 0, bytes.length, null, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
    try {
      return await promise;
    } catch (error) {
      // Whoever shares the pipe may have made it one that does not wait.
      if (codeOf(error) === 'EAGAIN') {
        await delay(fullPipe);
        return 0;
      }
      if (codeOf(error) !== 'EPIPE') throw error;
      throw new RegistryError('UNAVAILABLE', 'whoever reads the output has gone', { cause: error });
    }
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
