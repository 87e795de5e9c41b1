/** A part of some content: both ends inclusive, in bytes. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What to send: the whole, some parts, or a 416. */
export type RangeDecision =
  | { readonly kind: 'full' }
  | { readonly kind: 'partial'; readonly ranges: readonly ByteRange[] }
  | { readonly kind: 'unsatisfiable' };

const full: RangeDecision = { kind: 'full' };

/**
 * More parts than this in one request are answered with the whole (RFC 9110, section 14.2 allows
 * it): a storm of tiny ranges costs more than it saves.
 */
const maxRanges = 64;

/**
 * Decides on a `Range` header (RFC 9110, section 14.2). Our own: range-parser takes a suffix that
 * is longer than the content for unsatisfiable, where section 14.1.2 means the whole by it.
 *
 * Ends past the content's are clamped, as regctl needs when it resumes. A header that cannot be
 * read, or that asks for overlapping parts, is ignored. A part that ends before it begins selects
 * nothing: alone it is a 416, which RFC 9110 allows and the OCI conformance program demands.
 * Several parts of which some lie past the end are never a 416 while one is left: podman gives up
 * on that.
 * @param size bytes of the whole
 */
export function decideRange(header: string | undefined, size: number): RangeDecision {
  // containerd begins with `bytes=0-`, also where there is no byte: that is no mistake of its own.
  if (header === undefined || size === 0) return full;
  const list = /^bytes=([\d\s,-]{1,4000})$/i.exec(header)?.[1];
  if (list === undefined) return full;
  const ranges: ByteRange[] = [];
  for (const part of list.split(',')) {
    const range = parsePart(part.trim(), size);
    if (range === undefined) return full;
    if (range.start <= range.end) ranges.push(range);
  }
  if (ranges.length === 0) return { kind: 'unsatisfiable' };
  return ranges.length > maxRanges || overlap(ranges) ? full : { kind: 'partial', ranges };
}

/** `a-b`, `a-` or `-n`, clamped; empty (start behind end) where it selects no byte. */
function parsePart(part: string, size: number): ByteRange | undefined {
  const [, first, last] = /^(\d{0,15})-(\d{0,15})$/.exec(part) ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') return { start: Math.max(0, size - Number(last)), end: size - 1 };
  const start = Number(first);
  if (last === '') return { start, end: size - 1 };
  return { start, end: Math.min(Number(last), size - 1) };
}

function overlap(ranges: readonly ByteRange[]): boolean {
  const byStart = ranges.toSorted((a, b) => a.start - b.start);
  return byStart.some((range, index) => index > 0 && range.start <= byStart[index - 1]!.end);
}
