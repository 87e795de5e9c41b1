/**
 * Yields every so often for as long as some work is under way, so that it can be told how far it
 * has come. Ends when the work has; how it ended is for the caller to await.
 * @param interval milliseconds
 */
export async function* ticksWhile(work: Promise<unknown>, interval: number): AsyncGenerator<void> {
  const ended = work.then(
    () => true,
    () => true,
  );
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const tick = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, interval, false);
    });
    const isOver = await Promise.race([ended, tick]);
    clearTimeout(timer);
    if (isOver) return;
    yield;
  }
}
