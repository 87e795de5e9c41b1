import type { DiskBlobStore } from './disk-blob-store.ts';

/** Milliseconds between two times that the last uses are written down. */
const flushInterval = 60_000;

/** Milliseconds between two looks for what is unused for too long: at least, and at most. */
const shortestRound = 1_000;
const longestRound = 3_600_000;

export interface HousekeepingOptions {
  readonly store: DiskBlobStore;
  /** Milliseconds after its last byte that a partial download is kept. */
  readonly spoolTtl: number;
  /** Milliseconds after its last use that a blob is kept; undefined for ever. */
  readonly unusedTtl: number | undefined;
}

/**
 * What the store does behind the service: it counts itself, writes down what was used, and lets go
 * of what is too old.
 * @returns to be called at the end
 */
export function startHousekeeping(options: HousekeepingOptions): () => void {
  const { store, spoolTtl, unusedTtl } = options;
  const controller = new AbortController();
  let isExpiring = false;
  const expire = async (): Promise<void> => {
    // A store of millions takes longer to go through than a short round lasts.
    if (isExpiring || controller.signal.aborted) return;
    isExpiring = true;
    await store.evictor.expire(Date.now() - spoolTtl);
    isExpiring = false;
  };
  void store.count(controller.signal).then(expire);
  const ttl = Math.min(spoolTtl, unusedTtl ?? Infinity);
  const round = Math.min(Math.max(ttl / 10, shortestRound), longestRound);
  const timers = [
    setInterval(() => void store.flush(), flushInterval).unref(),
    setInterval(() => void expire(), round).unref(),
  ];
  return () => {
    controller.abort();
    for (const timer of timers) clearInterval(timer);
  };
}
