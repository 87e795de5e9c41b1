/** One entry of a layer. */
export interface TarEntry {
  /** Relative to the root, no leading slash. */
  readonly path: string;
  /** A file's bytes. */
  readonly content?: Uint8Array | string;
  /** A symbolic link's target. */
  readonly link?: string;
  /** Permissions; 0o644 for a file, 0o755 for a directory. */
  readonly mode?: number;
  /** The type flag, where it is to be another than what the entry is: `1` is a hard link, `3` a device, `x` a pax header. */
  readonly type?: string;
  /** What the header says of the size, where that is to be another than the content's: a number, or the 12 bytes of the field. */
  readonly size?: number | Buffer;
}

/** Packs entries as a POSIX ustar archive; an entry without content and link is a directory. The same entries give the same bytes. */
export function tar(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(1024)]);
}

/** One entry of an archive, its content filled up to whole blocks. */
export function tarEntry(entry: TarEntry): Buffer {
  const content = Buffer.from(entry.content ?? '');
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header(entry, content.length), content, padding]);
}

function header(entry: TarEntry, size: number): Buffer {
  const kind = entry.link !== undefined ? '2' : entry.content !== undefined ? '0' : '5';
  const type = entry.type ?? kind;
  const bytes = Buffer.alloc(512);
  bytes.write(type === '5' ? `${entry.path}/` : entry.path, 0, 100);
  bytes.write(octal(entry.mode ?? (type === '0' ? 0o644 : 0o755), 8), 100);
  bytes.write(octal(0, 8), 108);
  bytes.write(octal(0, 8), 116);
  const told = entry.size ?? size;
  if (typeof told === 'number') bytes.write(octal(told, 12), 124);
  else told.copy(bytes, 124);
  bytes.write(octal(0, 12), 136);
  bytes.write('        ', 148);
  bytes.write(type, 156);
  bytes.write(entry.link ?? '', 157, 100);
  bytes.write('ustar\u000000', 257);
  let sum = 0;
  for (const byte of bytes) sum += byte;
  bytes.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148);
  return bytes;
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\u0000`;
}
