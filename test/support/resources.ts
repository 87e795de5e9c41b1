import { afterAll, afterEach } from '@jest/globals';

/**
 * Collects what has to be disposed at the end of the enclosing suite, passed or failed, the last
 * first. What cannot be disposed fails the suite.
 */
export function suiteResources(): Pick<AsyncDisposableStack, 'use' | 'defer'> {
  const stack = new AsyncDisposableStack();
  afterAll(() => stack.disposeAsync());
  return stack;
}

/** The same for the end of each test. */
export function testResources(): Pick<AsyncDisposableStack, 'use' | 'defer'> {
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    const ended = stack;
    stack = new AsyncDisposableStack();
    await ended.disposeAsync();
  });
  return {
    use: (value) => stack.use(value),
    defer: (callback) => {
      stack.defer(callback);
    },
  };
}
