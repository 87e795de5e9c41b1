import { describeByteSize } from '../lib/byte-size.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { StoredBlob } from './blob-walk.ts';
import {
  excess,
  OldestFirst,
  rankOf,
  reliefOf,
  unusedBefore,
  type EvictionPolicy,
  type EvictionReason,
} from './eviction.ts';
import { Shields } from './shields.ts';
import type { StoreObserver } from './store-observer.ts';

/** What the evictor needs of a store. */
export interface Evictable {
  /** Bytes of committed blobs. */
  readonly committed: number;
  /** Bytes of committed blobs and of spools, those on their way included. */
  readonly occupied: number;
  survey(signal: AbortSignal): AsyncIterable<readonly StoredBlob[]>;
  /** Removes a blob that was not used since it was surveyed; gives the bytes freed. */
  evict(blob: StoredBlob): Promise<number>;
  /** Bytes of partial downloads that last grew before a time, and that nobody goes on with. */
  leftovers(before: number): number;
  /** Removes such, the oldest first, until so many bytes are free; gives how many are. */
  evictLeftovers(before: number, enough: number): Promise<number>;
}

/** What was, or would be, evicted. */
export interface Evicted {
  blobs: number;
  bytes: number;
}

/** Blobs that one survey lists; more are found by the next one. */
const listed = 50_000;

/** Milliseconds between two reliefs of a full disk. */
const reliefPause = 10_000;

/** Milliseconds after a sweep that found nothing, in which none begins that nobody waits for. */
const fruitlessPause = 30_000;

/**
 * Keeps the store within its limits: the least recently used goes first, what is being read or
 * pinned stays. One sweep at a time; whoever needs room waits for it.
 */
export class Evictor {
  readonly #store: Evictable;
  readonly #policy: EvictionPolicy;
  readonly #observer: StoreObserver;
  /** Tells what must stay; asked before anything goes. */
  #protectedBy: () => Promise<ReadonlySet<Digest>> = () => Promise.resolve(new Set());
  #protected: ReadonlySet<Digest> = new Set();
  readonly #shields = new Shields();
  readonly #abort = new AbortController();
  readonly #counted: Promise<void>;
  #markCounted!: () => void;
  /** The blobs used longest ago, as the last survey found them. */
  #oldest: StoredBlob[] = [];
  #sweeping: Promise<Evicted> | undefined;
  /** Bytes of blobs that are about to be committed. */
  #wanted = 0;
  #relievedAt = -Infinity;
  #fruitlessAt = -Infinity;

  constructor(store: Evictable, policy: EvictionPolicy, observer: StoreObserver) {
    this.#store = store;
    this.#policy = policy;
    this.#observer = observer;
    this.#counted = new Promise((resolve) => (this.#markCounted = resolve));
  }

  /**
   * From now on, what `digests` names stays. Where that fails nothing is evicted: what is above the
   * limit can go later, what is pinned would be lost.
   */
  protect(digests: () => Promise<ReadonlySet<Digest>>): void {
    this.#protectedBy = digests;
    this.reconsider();
  }

  /** Keeps these for as long as it is not disposed: all of them are needed together. */
  shield(digests: ReadonlySet<Digest>): Disposable {
    return this.#shields.raise(digests, () => this.reconsider());
  }

  /** Forgets in which order things were to go: what must stay has changed. */
  reconsider(): void {
    this.#oldest = [];
    this.#fruitlessAt = -Infinity;
  }

  /** Makes room behind the caller's back where the store has grown above its high watermark. */
  check(): void {
    if (excess(this.#store.occupied, this.#policy) === 0) return;
    if (performance.now() - this.#fruitlessAt > fruitlessPause) void this.sweep();
  }

  /** Why there will never be room for a blob of so many bytes; undefined where there may be. */
  refusal(bytes: number): RegistryError | undefined {
    const { maxSize = Infinity } = this.#policy;
    return bytes > maxSize ? noRoom(bytes, 'it is larger than storage.max_size') : undefined;
  }

  /**
   * Runs the commit of a blob once there is room for it, so that the limit holds at any moment but
   * for manifests, which are small and put in at once.
   * @throws RegistryError UNAVAILABLE where there is none to be had
   */
  async admit<T>(bytes: number, commit: () => Promise<T>): Promise<T> {
    if (this.#policy.maxSize === undefined) return commit();
    const refusal = this.refusal(bytes);
    if (refusal !== undefined) throw refusal;
    this.#wanted += bytes;
    try {
      // Before that nobody knows how much there is: what comes waits in its spool.
      await this.#counted;
      // A sweep that was under way already may have ended just before it knew of this one.
      for (let tries = 0; tries < 2 && this.#missing > 0; tries++) await this.sweep();
      if (this.#missing > 0) {
        const isOver = this.#abort.signal.aborted;
        throw noRoom(bytes, isOver ? 'the store closes' : 'all that is stored is in use or pinned');
      }
      return await commit();
    } finally {
      this.#wanted -= bytes;
    }
  }

  /** The disk is full although no limit was reached: gives up a little, now and then. */
  relieve(): void {
    if (this.#policy.keepsEverything === true) return;
    const now = performance.now();
    if (now - this.#relievedAt < reliefPause) return;
    this.#relievedAt = now;
    const bytes = reliefOf(this.#store.occupied);
    void this.#once((evicted) => this.#free(evicted, 'disk-full', () => bytes - evicted.bytes));
  }

  /** Removes what nobody has used for longer than the policy allows, blobs and partial downloads. */
  expire(leftoversBefore: number): Promise<Evicted> {
    return this.#quietly(async (evicted) => {
      evicted.bytes += await this.#store.evictLeftovers(leftoversBefore, Infinity);
      const before = unusedBefore(this.#policy, Date.now());
      try {
        if (before !== undefined) await this.#expireBlobs(before, evicted);
      } finally {
        this.#report(evicted, 'unused');
      }
    });
  }

  /** What {@link expire} and {@link sweep} would remove now. Counts the store anew. */
  async plan(leftoversBefore: number): Promise<Evicted> {
    const before = unusedBefore(this.#policy, Date.now()) ?? -Infinity;
    this.#protected = await this.#protectedBy();
    const planned: Evicted = { blobs: 0, bytes: this.#store.leftovers(leftoversBefore) };
    const oldest = new OldestFirst(listed);
    for await (const blobs of this.#store.survey(this.#abort.signal)) {
      const free = blobs.filter(({ digest }) => !this.#mustStay(digest));
      for (const { usedAt, size } of free) if (usedAt < before) add(planned, size);
      oldest.add(free.filter(({ usedAt }) => usedAt >= before));
    }
    let left = excess(this.#store.occupied - planned.bytes, this.#policy);
    for (const blob of oldest.take()) {
      if (left <= 0) break;
      add(planned, blob.size);
      left -= blob.size;
    }
    return planned;
  }

  /** Brings the store within its limits; joins a sweep that is under way. */
  async sweep(): Promise<Evicted> {
    const { maxSize = Infinity, lowWatermark } = this.#policy;
    if (this.#missing <= 0 && excess(this.#store.occupied, this.#policy) === 0) {
      return { blobs: 0, bytes: 0 };
    }
    const low = maxSize * lowWatermark;
    const left = (): number => Math.max(this.#store.occupied - low, this.#missing);
    return this.#once((evicted) => this.#free(evicted, 'size', left));
  }

  /** What is stored has been counted, as far as that can be done. */
  counted(): void {
    this.#markCounted();
  }

  /** Nobody waits for a sweep any more: what finds no room as it is stays in its spool. */
  stop(): void {
    this.#abort.abort();
    this.#markCounted();
  }

  get isStopped(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Bytes by which what is committed, and about to be, is above the limit. */
  get #missing(): number {
    const { maxSize = Infinity } = this.#policy;
    return this.#store.committed + this.#wanted - maxSize;
  }

  async #expireBlobs(before: number, evicted: Evicted): Promise<void> {
    this.#protected = await this.#protectedBy();
    for await (const blobs of this.#store.survey(this.#abort.signal)) {
      for (const blob of blobs) if (blob.usedAt < before) await this.#evict(blob, evicted);
    }
  }

  #once(work: (evicted: Evicted) => Promise<void>): Promise<Evicted> {
    this.#sweeping ??= this.#quietly(work).finally(() => (this.#sweeping = undefined));
    return this.#sweeping;
  }

  /** @param left bytes that have still to go */
  async #free(evicted: Evicted, reason: EvictionReason, left: () => number): Promise<void> {
    /** Bytes that were free when the last survey for this very sweep began. */
    let surveyedAt: number | undefined;
    // A pinned tag may name something else than at the last survey.
    this.#protected = await this.#protectedBy();
    while (left() > 0 && !this.#abort.signal.aborted) {
      const blob = this.#oldest.pop();
      if (blob !== undefined) {
        const older = await this.#store.evictLeftovers(rankOf(blob), left());
        evicted.bytes += older;
        if (older === 0) await this.#evict(blob, evicted);
        else this.#oldest.push(blob);
      } else if (surveyedAt === evicted.bytes) {
        // All blobs that the survey found are in use.
        evicted.bytes += await this.#store.evictLeftovers(Infinity, left());
        break;
      } else {
        // The last one may not have listed all, and others were let go of meanwhile.
        surveyedAt = evicted.bytes;
        this.#oldest = await this.#survey();
      }
    }
    this.#report(evicted, reason);
    const missing = left();
    if (missing <= 0 || this.#abort.signal.aborted) return;
    if (evicted.bytes === 0) this.#fruitlessAt = performance.now();
    this.#observer.notEnough(missing);
  }

  async #survey(): Promise<StoredBlob[]> {
    const oldest = new OldestFirst(listed);
    this.#protected = await this.#protectedBy();
    for await (const blobs of this.#store.survey(this.#abort.signal)) {
      oldest.add(blobs.filter(({ digest }) => !this.#mustStay(digest)));
    }
    return oldest.take().toReversed();
  }

  async #evict(blob: StoredBlob, evicted: Evicted): Promise<void> {
    if (this.#policy.keepsEverything === true || this.#mustStay(blob.digest)) return;
    const bytes = await this.#store.evict(blob);
    if (bytes > 0) add(evicted, bytes);
  }

  #mustStay(digest: Digest): boolean {
    return this.#protected.has(digest) || this.#shields.cover(digest);
  }

  #report({ blobs, bytes }: Evicted, reason: EvictionReason): void {
    if (bytes > 0) this.#observer.evicted({ blobs, bytes, reason });
  }

  /** A disk that fails here has nobody to tell but the operator; it is tried again with the next need. */
  async #quietly(work: (evicted: Evicted) => Promise<void>): Promise<Evicted> {
    const evicted: Evicted = { blobs: 0, bytes: 0 };
    try {
      await work(evicted);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#observer.diskFailed('evict', error);
    }
    return evicted;
  }
}

function add(sum: Evicted, bytes: number): void {
  sum.blobs++;
  sum.bytes += bytes;
}

function noRoom(bytes: number, reason: string): RegistryError {
  const size = describeByteSize(bytes);
  return new RegistryError('UNAVAILABLE', `there is no room for a blob of ${size}: ${reason}`);
}
