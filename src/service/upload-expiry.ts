import { setTimeout as delay } from 'node:timers/promises';
import type { UploadSessions } from '../hosted/upload-sessions.ts';

/** Milliseconds between two looks for uploads that were given up: at least, and at most. */
const shortestRound = 1_000;
const longestRound = 600_000;

/**
 * Removes uploads that nobody goes on with; settles when the signal says stop.
 * @param ttl milliseconds after its last byte that one is kept
 */
export async function expireUploads(
  sessions: UploadSessions,
  ttl: number,
  signal: AbortSignal,
): Promise<void> {
  const round = Math.min(Math.max(ttl / 10, shortestRound), longestRound);
  while (!signal.aborted) {
    await sessions.expire();
    await delay(round, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
