import { LRUCache } from 'lru-cache';
import { digestOf, splitDigest, type Digest } from '../oci/digest.ts';
import { maxManifestSize, parseManifest } from '../oci/manifest.ts';
import type { BlobHealth } from './blob-health.ts';
import type { BlobStore } from '../store/blob-store.ts';

/** A manifest as it is answered. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** The bytes of manifests in memory, in front of the store. */
export class ManifestCache {
  readonly #store: BlobStore;
  readonly #health: BlobHealth;
  readonly #memory: LRUCache<Digest, StoredManifest>;

  /** @param maxBytes memory for manifest bytes */
  constructor(store: BlobStore, health: BlobHealth, maxBytes: number) {
    this.#store = store;
    this.#health = health;
    this.#memory = new LRUCache({
      maxSize: Math.max(1, maxBytes),
      // An entry costs more than its bytes: the key, the object, the list.
      sizeCalculation: ({ bytes }) => bytes.length + 512,
    });
  }

  /** Lets go of what is in memory. */
  forget(digest: Digest): void {
    this.#memory.delete(digest);
  }

  /** What is in memory. */
  peek(digest: Digest, mediaType: string): StoredManifest | undefined {
    const found = this.#memory.get(digest);
    if (found !== undefined) this.#store.used(digest);
    // The same bytes may go by another type elsewhere; the type is the repository's to say.
    return found === undefined || found.mediaType === mediaType ? found : { ...found, mediaType };
  }

  /** What is in memory or in the store; a layer, and bytes that rotted on the disk, count as none. */
  async get(digest: Digest, mediaType: string): Promise<StoredManifest | undefined> {
    const cached = this.peek(digest, mediaType);
    if (cached !== undefined) return cached;
    const bytes = await this.#read(digest);
    if (bytes === undefined || !isManifest(bytes, mediaType)) return undefined;
    const stored = { digest, mediaType, bytes };
    this.#memory.set(digest, stored);
    return stored;
  }

  /** Keeps a verified manifest, in memory at once and in the store before it settles. */
  async put(manifest: StoredManifest): Promise<void> {
    this.#memory.set(manifest.digest, manifest);
    await this.#store.put(manifest.digest, manifest.bytes);
  }

  /** The right bytes, or none. */
  async #read(digest: Digest): Promise<Buffer | undefined> {
    let bytes: Buffer | undefined;
    try {
      bytes = await this.#store.read(digest, maxManifestSize);
    } catch (error) {
      await this.#health.readFailed(digest, error);
      return undefined;
    }
    if (bytes === undefined) return undefined;
    if (digestOf(bytes, splitDigest(digest).algorithm) === digest) return bytes;
    await this.#health.wrong(digest);
    return undefined;
  }
}

function isManifest(bytes: Buffer, mediaType: string): boolean {
  try {
    parseManifest(bytes, mediaType);
    return true;
  } catch {
    return false;
  }
}
