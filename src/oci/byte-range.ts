import parseRange from 'range-parser';

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
 * Decides on a `Range` header (RFC 9110, section 14.2).
 *
 * Ends past the content's are clamped, as regctl needs when it resumes. A header that cannot be
 * read, or that asks for overlapping parts, is ignored. Several parts of which some lie past the
 * end are never a 416 while one is left: podman gives up on that.
 * @param size bytes of the whole
 */
export function decideRange(header: string | undefined, size: number): RangeDecision {
  // containerd begins with `bytes=0-`, also where there is no byte: that is no mistake of its own.
  if (header === undefined || header.length > 4096 || size === 0) return full;
  const ranges = parseRange(size, header);
  if (ranges === -2) return full;
  if (ranges === -1) return { kind: 'unsatisfiable' };
  if (ranges.type !== 'bytes' || ranges.length > maxRanges || overlap(ranges)) return full;
  return { kind: 'partial', ranges: ranges.map(({ start, end }) => ({ start, end })) };
}

function overlap(ranges: readonly ByteRange[]): boolean {
  const byStart = ranges.toSorted((a, b) => a.start - b.start);
  return byStart.some((range, index) => index > 0 && range.start <= byStart[index - 1]!.end);
}
