import { open } from 'node:fs/promises';
import { RegistryError } from '../oci/errors.ts';

/**
 * A small file that is read again whenever it changes, so that a rotated secret needs no restart.
 * Mounted secrets are replaced by a new file, edited ones change their time or size.
 */
export class ChangingFile<T> {
  readonly #path: string;
  readonly #parse: (text: string) => T;
  #stamp = '';
  #value: T | undefined;

  /** @param parse its errors must not quote the file */
  constructor(path: string, parse: (text: string) => T) {
    this.#path = path;
    this.#parse = parse;
  }

  /** @throws RegistryError UPSTREAM_DENIED: missing, unreadable, over 1 MiB, or refused by the parser */
  async read(): Promise<T> {
    try {
      await using file = await open(this.#path);
      const { ino, size, mtimeNs } = await file.stat({ bigint: true });
      const stamp = `${ino}:${size}:${mtimeNs}`;
      if (this.#value === undefined || stamp !== this.#stamp) {
        if (size > maxSize) throw new Error('larger than 1 MiB');
        this.#value = this.#parse(await file.readFile('utf8'));
        this.#stamp = stamp;
      }
      return this.#value;
    } catch (cause) {
      const reason = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
      throw new RegistryError(
        'UPSTREAM_DENIED',
        `a credentials file of this upstream cannot be used (${reason})`,
        { cause },
      );
    }
  }

  /** The next `read` parses the file again, changed or not. */
  forget(): void {
    this.#value = undefined;
  }
}

const maxSize = 1n << 20n;
