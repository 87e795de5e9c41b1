import type { EvictionReason } from './eviction.ts';
import type { DiskState } from './disk-health.ts';

/** Is told what the store does on its own; telemetry implements it. No call may throw. */
export interface StoreObserver {
  /** Blobs and partial downloads were removed to make room, or because nobody used them. */
  evicted(event: {
    readonly blobs: number;
    readonly bytes: number;
    readonly reason: EvictionReason;
  }): void;
  /** So many bytes could not be freed: what is left is in use or pinned. */
  notEnough(bytes: number): void;
  /** The disk refused; the service went on without. */
  diskFailed(operation: DiskOperation, error: unknown): void;
  /** The disk has come into this state; `ok` means that it takes bytes again. */
  disk(state: DiskState): void;
}

/** What the disk was asked for. */
export type DiskOperation =
  'spool' | 'upload' | 'commit' | 'put' | 'open' | 'evict' | 'touch' | 'count';

/** Listens to nothing. */
export const silentStoreObserver: StoreObserver = {
  evicted() {},
  notEnough() {},
  diskFailed() {},
  disk() {},
};
