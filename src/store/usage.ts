import { setTimeout as delay } from 'node:timers/promises';
import { splitDigest, type Digest } from '../oci/digest.ts';
import { listShards, readShard, type Shard, type StoredBlob } from './blob-walk.ts';
import type { Layout } from './layout.ts';

/** What one folder of blobs holds, as far as it is known. */
interface Account {
  bytes: number;
  blobs: number;
  /** Changes under way. */
  busy: number;
  /** Grows with every change that ends. */
  version: number;
}

/** How the store grew, or, negative, shrank. */
export interface Change {
  readonly bytes: number;
  readonly blobs: number;
}

/** A folder that something changes in while it is read is read again, so often at most. */
const maxReadings = 50;

/**
 * How much the store holds, kept folder by folder. Counted behind the running service, so that a
 * store of a million blobs opens at once; and counted anew whenever the store is surveyed, so that
 * what another program removed is noticed.
 */
export class StoreUsage {
  readonly #layout: Layout;
  readonly #accounts = new Map<string, Account>();
  #bytes = 0;
  #blobs = 0;
  #isCounted = false;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Bytes of all committed blobs that are counted. */
  get bytes(): number {
    return this.#bytes;
  }

  get blobs(): number {
    return this.#blobs;
  }

  /** Whether all of the store has been counted. */
  get isCounted(): boolean {
    return this.#isCounted;
  }

  /** Runs work that may change what the store holds, and takes what it says into account. */
  async change(digest: Digest, work: () => Promise<Change | undefined>): Promise<void> {
    const account = this.#account(nameOf(digest));
    account.busy++;
    let change: Change | undefined;
    try {
      change = await work();
    } finally {
      account.busy--;
      account.version++;
    }
    if (change !== undefined) {
      this.#set(account, account.bytes + change.bytes, account.blobs + change.blobs);
    }
  }

  /** Goes through all blobs, one folder at a time, and counts them on the way. */
  async *survey(signal: AbortSignal): AsyncGenerator<readonly StoredBlob[]> {
    const known = [...this.#accounts].map(([name, account]) => ({ name, account, ...account }));
    const shards = await listShards(this.#layout);
    const present = new Set(shards.map(({ name }) => name));
    for (const { name, account, busy, version } of known) {
      // Another program removed the whole folder.
      const isStill = busy === 0 && account.busy === 0 && account.version === version;
      if (isStill && !present.has(name)) this.#set(account, 0, 0);
    }
    for (const shard of shards) {
      signal.throwIfAborted();
      yield await this.#count(shard);
    }
    this.#isCounted = true;
  }

  /** Counts the whole store; gives up quietly when the signal says so. */
  async count(signal: AbortSignal): Promise<void> {
    try {
      const survey = this.survey(signal);
      while ((await survey.next()).done !== true);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #count(shard: Shard): Promise<readonly StoredBlob[]> {
    const account = this.#account(shard.name);
    for (let reading = 1; ; reading++) {
      const { version } = account;
      const blobs = await readShard(shard);
      const isStill = account.busy === 0 && account.version === version;
      if (isStill || reading === maxReadings) {
        const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
        this.#set(account, bytes, blobs.length);
        return blobs;
      }
      await delay(10);
    }
  }

  #account(name: string): Account {
    let account = this.#accounts.get(name);
    if (account === undefined) {
      account = { bytes: 0, blobs: 0, busy: 0, version: 0 };
      this.#accounts.set(name, account);
    }
    return account;
  }

  #set(account: Account, bytes: number, blobs: number): void {
    this.#bytes += bytes - account.bytes;
    this.#blobs += blobs - account.blobs;
    account.bytes = bytes;
    account.blobs = blobs;
  }
}

function nameOf(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `${algorithm}/${hex.slice(0, 2)}`;
}
