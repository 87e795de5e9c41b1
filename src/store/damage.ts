/**
 * What a disk says of a file that it cannot give back: read(2), open(2); EUCLEAN and EBADMSG come
 * from file systems that keep checksums.
 */
const damage: ReadonlySet<string> = new Set(['EIO', 'EUCLEAN', 'EBADMSG', 'ENODATA', 'EISDIR']);

/** A file ended before the size that it had when it was opened. */
export class ContentCutShort extends Error {
  override readonly name = 'ContentCutShort';

  constructor() {
    super('the content is shorter than it was');
  }
}

/** Whether a failed read means that the file is of no use: it is quarantined, and fetched again. */
export function isDamage(error: unknown): boolean {
  if (error instanceof ContentCutShort) return true;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code !== undefined && damage.has(code);
}
