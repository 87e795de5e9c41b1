import type { ByteSource } from './byte-source.ts';
import { parsePax } from './tar-pax.ts';
import {
  isZero,
  parseTarHeader,
  tarBlock,
  TarCutShort,
  TarFault,
  tarPadding,
  type TarHeader,
} from './tar-header.ts';

/** Something in an archive, its name as it stands there: nothing is safe about it. */
export type TarEntry = TarHeader;

/** Bytes of all that may be said of one entry besides its header: long names, attributes. */
const maxExtra = 64 * 1024;

/** Headers that may stand before one entry. */
const maxExtras = 8;

/** Bytes of zeros that may stand behind the end: writers fill up their last record. */
const maxTail = 1024 * 1024;

/**
 * Reads a tar archive from front to end, and never more of it than is asked for: ustar, with the
 * extensions of pax and GNU tar for long names and large sizes.
 *
 * What is wrong about it fails as a {@link TarFault}; whether an entry is welcome is for the caller to
 * say. Memory is bounded whatever comes.
 */
export class TarReader {
  readonly #source: ByteSource;
  /** What was read and is not used yet. */
  #rest: Buffer = Buffer.alloc(0);
  #position = 0;
  /** Bytes of the present content that are to come, and of its filling. */
  #left = 0;
  #padding = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Bytes of the archive that were read. */
  get position(): number {
    return this.#position;
  }

  /**
   * The next entry; what is left of the last one's content is passed over. Undefined at the end.
   * @throws TarFault, or what the source fails with
   */
  async next(): Promise<TarEntry | undefined> {
    while ((await this.read()) !== undefined);
    const said = new Map<string, string>();
    for (let extras = 0; ; extras++) {
      const block = await this.#exactly(tarBlock, 'in a header');
      const header = parseTarHeader(block);
      if (header === undefined) {
        if (extras > 0) throw new TarFault('an attribute of an entry that does not come');
        await this.#end();
        return undefined;
      }
      if (extras === maxExtras && isExtra(header)) {
        throw new TarFault(`more than ${maxExtras} headers for one entry`);
      }
      if (!isExtra(header)) return this.#begin(header, said);
      await this.#hear(header, said);
    }
  }

  /**
   * More of the present entry's content, for as long as the source's bytes stay good; undefined at its
   * end.
   * @throws TarFault where the archive ends before, or what the source fails with
   */
  async read(): Promise<Buffer | undefined> {
    if (this.#left === 0) {
      const padding = this.#padding;
      this.#padding = 0;
      if (padding > 0) await this.#exactly(padding, 'behind a content');
      return undefined;
    }
    const bytes = await this.#some(this.#left);
    if (bytes === undefined) throw this.#truncated('in a content');
    this.#left -= bytes.length;
    return bytes;
  }

  /**
   * The whole of a small content.
   * @throws TarFault where it has more bytes than `limit`
   */
  async whole(limit: number): Promise<Buffer> {
    if (this.#left > limit) throw new TarFault(`${this.#left} bytes where ${limit} may be`);
    const bytes = Buffer.concat([await this.#exactly(this.#left, 'in a content')]);
    this.#left = 0;
    return bytes;
  }

  #begin(header: TarHeader, said: ReadonlyMap<string, string>): TarEntry {
    const size = paxSize(said.get('size')) ?? header.size;
    if (header.type !== 'file' && size !== 0) throw new TarFault(`a ${header.type} with content`);
    this.#left = size;
    this.#padding = tarPadding(size);
    return {
      type: header.type,
      name: said.get('path') ?? header.name,
      target: said.get('linkpath') ?? header.target,
      size,
    };
  }

  /** Takes note of what is said of the entry behind it. */
  async #hear({ type, size }: TarHeader, said: Map<string, string>): Promise<void> {
    if (size > maxExtra) throw new TarFault(`a ${type} of ${size} bytes`);
    const content = Buffer.from(await this.#exactly(size, `in a ${type}`));
    await this.#exactly(tarPadding(size), `behind a ${type}`);
    if (type === 'global pax header') {
      // It would hold for every entry from here on.
      refuse(parsePax(content), (key) => decisive.has(key));
    } else if (type === 'pax header') {
      const records = parsePax(content);
      refuse(records, (key) => key.startsWith('GNU.sparse.'));
      for (const [key, value] of records) said.set(key, value);
    } else {
      const end = content.indexOf(0);
      const name = content.toString('utf8', 0, end < 0 ? content.length : end);
      said.set(type === 'long name' ? 'path' : 'linkpath', name);
    }
  }

  /** A second block of zeros, and then nothing but zeros. */
  async #end(): Promise<void> {
    if (!isZero(await this.#exactly(tarBlock, 'at its end'))) {
      throw new TarFault('something behind the end of the archive');
    }
    for (let tail = 0; ;) {
      const bytes = await this.#some(Infinity);
      if (bytes === undefined) return;
      tail += bytes.length;
      if (tail > maxTail || !isZero(bytes)) {
        throw new TarFault('something behind the end of the archive');
      }
    }
  }

  /** So many bytes; good until anything else is read. */
  async #exactly(count: number, where: string): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      const bytes = await this.#some(missing);
      if (bytes === undefined) throw this.#truncated(where);
      missing -= bytes.length;
      // What is put together was read at several times: the source may use its memory again.
      parts.push(missing > 0 ? Buffer.from(bytes) : bytes);
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  async #some(most: number): Promise<Buffer | undefined> {
    if (this.#rest.length === 0) {
      const bytes = await this.#source.next();
      if (bytes === undefined) return undefined;
      this.#rest = bytes;
    }
    const count = Math.min(most, this.#rest.length);
    const bytes = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    this.#position += count;
    return bytes;
  }

  #truncated(where: string): TarCutShort {
    return new TarCutShort(`it ends after ${this.#position} bytes, ${where}: something is missing`);
  }
}

function isExtra({ type }: TarHeader): boolean {
  return (
    type === 'pax header' ||
    type === 'global pax header' ||
    type === 'long name' ||
    type === 'long link'
  );
}

/** What a pax header says that decides where an entry goes, and how much of it there is. */
const decisive: ReadonlySet<string> = new Set(['path', 'linkpath', 'size']);

function refuse(records: ReadonlyMap<string, string>, isRefused: (key: string) => boolean): void {
  const key = [...records.keys()].find(isRefused);
  if (key !== undefined) throw new TarFault(`a pax header with ${key.slice(0, 50)}`);
}

function paxSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const size = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(size)) throw new TarFault('a pax header with a size that is no number');
  return size;
}
