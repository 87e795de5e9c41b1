/**
 * One block of a tar archive that stands before a file (POSIX.1-2017, pax, "ustar Interchange
 * Format"; GNU tar's manual, "Basic Tar Format"), read strictly: what is not clearly right is refused.
 */

/** Bytes of a block: headers have one, contents are filled up to whole ones. */
export const tarBlock = 512;

/** What an archive is not allowed to be, or to hold. */
export class TarFault extends Error {
  override readonly name: string = 'TarFault';
}

/** An archive of which the rest is somewhere else, or nowhere. */
export class TarCutShort extends TarFault {
  override readonly name = 'TarCutShort';
}

/** What stands behind a header. */
export type TarType =
  | 'file'
  | 'hard link'
  | 'symbolic link'
  | 'character device'
  | 'block device'
  | 'directory'
  | 'fifo'
  /** Says more of the next entry, or of all that follow: for the reader, not for who uses it. */
  | 'pax header'
  | 'global pax header'
  | 'long name'
  | 'long link'
  | 'unknown';

export interface TarHeader {
  readonly type: TarType;
  /** As it stands there; nothing is safe about it. */
  readonly name: string;
  /** What a link leads to, as it stands there. */
  readonly target: string;
  /** Bytes of content. */
  readonly size: number;
}

const types: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hard link',
  '2': 'symbolic link',
  '3': 'character device',
  '4': 'block device',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  x: 'pax header',
  g: 'global pax header',
  L: 'long name',
  K: 'long link',
};

/** Types whose size, where one is given, says nothing of what follows. */
const contentless: ReadonlySet<TarType> = new Set([
  'hard link',
  'symbolic link',
  'character device',
  'block device',
  'directory',
  'fifo',
]);

/**
 * Reads a header; undefined for a block of zeros, of which two end an archive.
 * @throws TarFault
 */
export function parseTarHeader(block: Buffer): TarHeader | undefined {
  if (isZero(block)) return undefined;
  if (octal(block, 148, 8, 'a checksum') !== checksum(block)) {
    throw new TarFault('a header whose checksum is wrong: damaged, or no tar archive');
  }
  const magic = block.toString('latin1', 257, 263);
  const type = types[String.fromCharCode(block[156] ?? 0)] ?? 'unknown';
  const size = sizeOf(block);
  if (contentless.has(type) && size !== 0) throw new TarFault(`a ${type} with content`);
  // GNU's own format keeps times where POSIX has the front of a long name.
  const prefix = magic === 'ustar\0' ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    type,
    name: prefix === '' ? name : `${prefix}/${name}`,
    target: text(block, 157, 100),
    size,
  };
}

/** Bytes that fill a content up to whole blocks. */
export function tarPadding(size: number): number {
  return (tarBlock - (size % tarBlock)) % tarBlock;
}

export function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

/** A sum of all bytes, those of the checksum itself taken for spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < tarBlock; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  return sum;
}

/** Octal digits, or from 8 GiB on a binary number (GNU tar's manual, "Extensions"). */
function sizeOf(block: Buffer): number {
  const first = block[124] ?? 0;
  if ((first & 0x80) === 0) return octal(block, 124, 12, 'a size');
  // Two's complement: with its second bit, it would be negative.
  if (first !== 0x80 || block.readUInt32BE(124) !== 0x80000000) {
    throw new TarFault('a header with a size that is negative or beyond all measure');
  }
  const size = block.readBigUInt64BE(128);
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new TarFault('a header with a size beyond all measure');
  }
  return Number(size);
}

function octal(block: Buffer, at: number, width: number, what: string): number {
  const digits = block
    .toString('latin1', at, at + width)
    .replace(/[\0 ]+$/, '')
    .trimStart();
  if (!/^[0-7]{1,12}$/.test(digits)) throw new TarFault(`a header with ${what} that is no number`);
  return Number.parseInt(digits, 8);
}

function text(block: Buffer, at: number, width: number): string {
  const field = block.subarray(at, at + width);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? width : end);
}
