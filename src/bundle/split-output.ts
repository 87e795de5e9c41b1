import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { RegistryError } from '../oci/errors.ts';
import type { BundleOutput } from './bundle-output.ts';
import { FileOutput } from './file-output.ts';

/** More would no longer stand in order where a shell lists them. */
export const mostParts = 999;

/**
 * Files of a limited size, `bundle.tar.001` and so on, which `cat` puts together again. Each gets its
 * name when it is whole.
 */
export class SplitOutput implements BundleOutput {
  readonly #path: string;
  readonly #partSize: number;
  #part: FileOutput | undefined;
  /** Bytes that the present part still takes. */
  #left = 0;
  #count = 0;

  private constructor(path: string, partSize: number) {
    this.#path = path;
    this.#partSize = partSize;
  }

  /**
   * Takes away the parts of an earlier export under this name first: put together with new ones, they
   * would be no bundle.
   * @param partSize bytes
   * @throws the file system's error
   */
  static async create(path: string, partSize: number): Promise<SplitOutput> {
    const output = new SplitOutput(path, partSize);
    for (const part of await partsOf(path)) await rm(part, { force: true });
    await output.#next();
    return output;
  }

  /** How many parts there are by now. */
  get count(): number {
    return this.#count;
  }

  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      if (this.#left === 0) {
        await this.#part?.finish();
        await this.#next();
      }
      const piece = bytes.subarray(at, at + this.#left);
      await this.#part?.write(piece);
      this.#left -= piece.length;
      at += piece.length;
    }
  }

  async finish(): Promise<void> {
    await this.#part?.finish();
  }

  /** Parts that were whole go as well: without the others they are nothing. */
  async abandon(): Promise<void> {
    await this.#part?.abandon();
    for (let number = 1; number <= this.#count; number++) {
      await rm(partName(this.#path, number), { force: true }).catch(() => undefined);
    }
  }

  async #next(): Promise<void> {
    if (this.#count === mostParts) {
      throw new RegistryError('SIZE_LIMIT', `more than ${mostParts} parts: make them larger`);
    }
    this.#count++;
    this.#part = await FileOutput.create(partName(this.#path, this.#count));
    this.#left = this.#partSize;
  }
}

/** What a part is called; they are counted from 1. */
export function partName(path: string, number: number): string {
  return `${path}.${String(number).padStart(3, '0')}`;
}

/** What lies there of an earlier export under this name. */
async function partsOf(path: string): Promise<string[]> {
  const folder = dirname(path);
  const front = `${basename(path)}.`;
  const names = await readdir(folder);
  return names
    .filter(
      (name) => name.startsWith(front) && /^\d{3}(?:\.partial)?$/.test(name.slice(front.length)),
    )
    .map((name) => join(folder, name));
}
