/**
 * Does something for each item, some at the same time, and gives what came of it in the order of the
 * items. What comes later is only begun when somebody wants it.
 * @param width how many at the same time
 */
export async function* inBatches<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  for (let start = 0; start < items.length; start += width) {
    yield* await Promise.all(items.slice(start, start + width).map(work));
  }
}
