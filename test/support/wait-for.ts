import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until a condition holds, and gives what it gave. The deadline is there to fail a broken
 * test, not to time anything.
 * @param what for the message of the failure
 * @param probe a truthy answer ends the waiting; what it throws counts as "not yet"
 * @param timeout milliseconds
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  timeout = 45_000,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeout;
  let last: unknown;
  for (;;) {
    try {
      // Each look at the condition has to come after the one before.
      const value = await probe();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`gave up waiting for ${what}; at the end: ${String(last)}`);
    }
    await sleep(20);
  }
}
