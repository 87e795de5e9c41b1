/** A Content-Range header (RFC 9110, section 14.4), in bytes. */
export interface ContentRange {
  /** First and last byte; undefined in an answer of 416. */
  readonly first: number | undefined;
  readonly last: number | undefined;
  /** Of the whole; undefined where the server does not say. */
  readonly size: number | undefined;
}

/** Reads `bytes 0-99/1234`, an unknown size as `*`, and the star that a 416 has in place of the bytes. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = /^\s*bytes\s+(?:(\d{1,15})-(\d{1,15})|\*)\/(\d{1,15}|\*)\s*$/i.exec(header ?? '');
  if (match === null) return undefined;
  const [first, last, size] = match.slice(1).map(toNumber);
  if (first !== undefined && last !== undefined) {
    if (last < first || (size !== undefined && last >= size)) return undefined;
  }
  return { first, last, size };
}

function toNumber(text: string | undefined): number | undefined {
  return text === undefined || text === '*' ? undefined : Number(text);
}

/** Reads a Content-Length; undefined where there is none or it is no number of bytes. */
export function parseContentLength(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
