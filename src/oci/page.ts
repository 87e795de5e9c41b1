import { RegistryError } from './errors.ts';

/** One page of a sorted list. */
export interface Page {
  readonly items: readonly string[];
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
