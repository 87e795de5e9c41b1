import type { Descriptor } from './descriptor.ts';
import { RegistryError } from './errors.ts';

/** One page of a list. */
export interface Page<T = string> {
  readonly items: readonly T[];
  /** The `last` of the next page's request; absent on the last page. */
  readonly next?: string;
}

/**
 * Reads the `n` of a paginated request.
 * @throws RegistryError PAGINATION_NUMBER_INVALID
 */
export function parsePageSize(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new RegistryError('PAGINATION_NUMBER_INVALID', undefined, {
    detail: { n: text.slice(0, 100) },
  });
}

/**
 * Cuts a page out of a list in ASCII order: what comes after `last`, which itself is left out
 * and need not exist. `n` of 0 is an empty page without a next one (distribution specification,
 * "Listing Tags").
 */
export function cutPage(sorted: readonly string[], n?: number, last?: string): Page {
  const start = last === undefined ? 0 : firstAfter(sorted, last);
  const end = n === undefined ? sorted.length : Math.min(sorted.length, start + n);
  const items = sorted.slice(start, end);
  const final = items.at(-1);
  return final !== undefined && end < sorted.length ? { items, next: final } : { items };
}

/**
 * Cuts a page out of the descriptors of an index. One that fits is left as it is; the pages of a
 * larger one are in ASCII order of the digests.
 * @param limit bytes of the page's descriptors as JSON; one alone may have more
 * @param last the digest at which the page before ended
 */
export function cutIndex(
  descriptors: readonly Descriptor[],
  limit: number,
  last?: string,
): Page<Descriptor> {
  if (last === undefined && sizeOf(descriptors) <= limit) return { items: descriptors };
  const sorted = descriptors.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
  const digests = sorted.map(({ digest }) => digest);
  const start = last === undefined ? 0 : firstAfter(digests, last);
  let end = start;
  for (let size = 0; end < sorted.length; end += 1) {
    size += sizeOf(sorted.slice(end, end + 1));
    if (size > limit && end > start) break;
  }
  const items = sorted.slice(start, end);
  const final = items.at(-1);
  return final !== undefined && end < sorted.length ? { items, next: final.digest } : { items };
}

/** Bytes as JSON, a comma behind each. */
function sizeOf(descriptors: readonly Descriptor[]): number {
  return descriptors.reduce((sum, each) => sum + Buffer.byteLength(JSON.stringify(each)) + 1, 0);
}

function firstAfter(sorted: readonly string[], last: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= last) low = middle + 1;
    else high = middle;
  }
  return low;
}
