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
}

/** Packs entries as a POSIX ustar archive; an entry without content and link is a directory. The same entries give the same bytes. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? '');
    parts.push(header(entry, content.length), content);
    parts.push(Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function header(entry: TarEntry, size: number): Buffer {
  const type = entry.link !== undefined ? '2' : entry.content !== undefined ? '0' : '5';
  const bytes = Buffer.alloc(512);
  bytes.write(type === '5' ? `${entry.path}/` : entry.path, 0, 100);
  bytes.write(octal(entry.mode ?? (type === '0' ? 0o644 : 0o755), 8), 100);
  bytes.write(octal(0, 8), 108);
  bytes.write(octal(0, 8), 116);
  bytes.write(octal(size, 12), 124);
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
