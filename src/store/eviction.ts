import type { StoredBlob } from './blob-walk.ts';

/* What is evicted, and when: decided here, done in evictor.ts. */

/** How much the store may hold, and for how long. */
export interface EvictionPolicy {
  /** Bytes of blobs and spools together; undefined for as much as the disk takes. */
  readonly maxSize: number | undefined;
  /** The share of `maxSize` from which on room is made. */
  readonly highWatermark: number;
  /** The share of `maxSize` down to which room is made then. */
  readonly lowWatermark: number;
  /** Milliseconds without a use after which a blob goes; undefined for never. */
  readonly unusedTtl: number | undefined;
  /** Nothing ever goes, not even from a full disk: there is no other copy. False where absent. */
  readonly keepsEverything?: boolean;
}

/** Why something was evicted: above the limit, unused for too long, or the disk had no room left. */
export type EvictionReason = 'size' | 'unused' | 'disk-full';

/** The share of what it holds that a store without a limit of its own gives up for a full disk. */
const relief = 0.05;

/** Bytes up to which a blob is most likely a manifest or an image's configuration. */
const smallBlob = 64 * 1024;

/**
 * Milliseconds by which such a blob stays longer than a layer used at the same time. It gives next
 * to no room, and its loss costs more: without the manifest an image cannot be pulled while the
 * upstream is down, and fetching it again is what Docker Hub counts.
 */
const headStart = 7 * 86_400_000;

/** The place of a blob in the order in which they go: when it was used, in milliseconds since the epoch, or later. */
export function rankOf({ size, usedAt }: Pick<StoredBlob, 'size' | 'usedAt'>): number {
  return size <= smallBlob ? usedAt + headStart : usedAt;
}

/** Bytes that have to go: none below the high watermark, else all above the low one. */
export function excess(occupied: number, policy: EvictionPolicy): number {
  const { maxSize, highWatermark, lowWatermark } = policy;
  if (maxSize === undefined || occupied <= maxSize * highWatermark) return 0;
  return Math.ceil(occupied - maxSize * lowWatermark);
}

/** Bytes to give up once the disk is full although no limit was reached. */
export function reliefOf(occupied: number): number {
  return Math.ceil(occupied * relief);
}

/** The moment before which a blob must have been used last to be unused for too long. */
export function unusedBefore(policy: EvictionPolicy, now: number): number | undefined {
  return policy.unusedTtl === undefined ? undefined : now - policy.unusedTtl;
}

/**
 * The blobs that go first out of any number, in order, without keeping them all: a store may
 * hold millions.
 */
export class OldestFirst {
  readonly #limit: number;
  #kept: StoredBlob[] = [];

  /** @param limit how many are wanted */
  constructor(limit: number) {
    this.#limit = limit;
  }

  add(blobs: readonly StoredBlob[]): void {
    for (const blob of blobs) this.#kept.push(blob);
    if (this.#kept.length > 2 * this.#limit) this.#kept = this.take();
  }

  /** Those kept, the first to go first. */
  take(): StoredBlob[] {
    return this.#kept.toSorted((a, b) => rankOf(a) - rankOf(b)).slice(0, this.#limit);
  }
}
