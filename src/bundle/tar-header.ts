/*
 * Headers of a tar (POSIX.1-2017, pax, "ustar Interchange Format"): plain files only, and nothing of
 * who wrote them when, so that the same files give the same bytes. Our own, since what writes tars as
 * streams copies each byte twice.
 */

/** A tar consists of these; a file is filled up to the next, in bytes. */
const recordSize = 512;

/** The largest size that fits into its field as octal digits: 8 GiB less a byte. */
const largestOctal = 8 ** 11 - 1;

/** What stands behind the last file. */
export const tarEnd = Buffer.alloc(2 * recordSize);

/**
 * What stands in front of a file.
 * @param path without a leading slash, in ASCII
 * @param size bytes
 */
export function tarHeader(path: string, size: number): Buffer {
  if (path.length <= 100) return ustar(path, size, '0');
  // A sha512 digest alone is longer than the field for the name ("pax Extended Header").
  const record = paxRecord('path', path);
  return Buffer.concat([
    ustar('PaxHeader', record.length, 'x'),
    record,
    padding(record.length),
    ustar(path.slice(0, 100), size, '0'),
  ]);
}

/** What fills a file up. */
export function padding(size: number): Buffer {
  return Buffer.alloc((recordSize - (size % recordSize)) % recordSize);
}

/** Bytes that a file takes in a tar. */
export function tarSize(path: string, size: number): number {
  return tarHeader(path, size).length + size + padding(size).length;
}

function ustar(name: string, size: number, type: '0' | 'x'): Buffer {
  const header = Buffer.alloc(recordSize);
  header.write(name, 0, 100, 'latin1');
  header.write(octal(0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  if (size <= largestOctal) header.write(octal(size, 12), 124);
  else writeBinary(header, size);
  header.write(octal(0, 12), 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write('ustar\u000000', 257);
  header.write(octal(0, 8), 329);
  header.write(octal(0, 8), 337);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148);
  return header;
}

/** GNU's way for large files, which every reader knows: binary, with the highest bit set. */
function writeBinary(header: Buffer, size: number): void {
  header[124] = 0x80;
  header.writeBigUInt64BE(BigInt(size), 128);
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\u0000`;
}

/** `<length> <key>=<value>\n`, of which the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`.length;
  let length = rest + 1;
  while (`${length}`.length + rest !== length) length = `${length}`.length + rest;
  return Buffer.from(`${length} ${key}=${value}\n`);
}
