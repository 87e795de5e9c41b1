import { Keyv } from 'keyv';
import { LRUCache } from 'lru-cache';
import type { Known } from './known.ts';

/** A piece of knowledge at hand in this process. */
export interface Remembered<V = unknown> extends Known<V> {
  /** When it was last compared with what other replicas know; milliseconds since the epoch. */
  readonly seen: number;
  /** When it is forgotten, in milliseconds since the epoch. */
  readonly until: number;
  /** Roughly what it weighs, in bytes. */
  readonly weight: number;
}

/** What Keyv makes of it in the store. */
interface Stored {
  readonly value: Remembered;
  readonly expires: number | undefined;
}

/** What a tag or a link weighs with its key, in bytes. */
export const usualWeight = 512;

/** Bounds of the memory; the weight is in bytes. */
const maxEntries = 100_000;
const maxWeight = 64 * 1024 * 1024;

/**
 * Keyv over an LRU in this process. Objects are kept as they are, neither serialized nor copied,
 * and keys are not prefixed: a hit costs under a microsecond.
 */
export function createMemory(): Keyv<Remembered> {
  const lru = new LRUCache<string, Stored>({
    max: maxEntries,
    maxSize: maxWeight,
    sizeCalculation: ({ value }) => value.weight,
  });
  const store = {
    get: (key: string) => lru.get(key),
    set: (key: string, stored: Stored) => void lru.set(key, stored),
    delete: (key: string) => lru.delete(key),
    clear: () => lru.clear(),
  };
  // Set after the fact: as an option, Keyv's types take no "none" for the serializer.
  const memory = new Keyv<Remembered>({ store, namespace: '', useKeyPrefix: false });
  memory.serialize = undefined;
  memory.deserialize = undefined;
  return memory;
}
