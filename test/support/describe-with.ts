import { describe, jest } from '@jest/globals';
import { provide, type Program } from './debian.ts';
import { IsolatedNetwork } from './network.ts';
import { noteNotRun } from './not-run.ts';

/** Real clients and daemons take their time, more so on a busy machine. Milliseconds a test. */
jest.setTimeout(120_000);

/**
 * A suite that needs programs from outside, installed if need be; some need root besides, or a
 * network of their own. Where they cannot be had the suite is skipped, and the summary says so.
 */
export async function describeWith(
  name: string,
  programs: readonly Program[],
  suite: () => void,
  { root = false, isolated = false } = {},
): Promise<void> {
  const reason =
    (root || isolated) && process.getuid?.() !== 0
      ? 'needs root'
      : ((await provide(...programs)) ?? (isolated ? await IsolatedNetwork.fault() : undefined));
  if (reason === undefined) {
    describe(name, suite);
    return;
  }
  noteNotRun(name, reason);
  describe.skip(name, suite);
}
