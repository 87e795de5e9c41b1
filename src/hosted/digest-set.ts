import { splitDigest, type Digest } from '../oci/digest.ts';

/** Bytes of a digest that are kept: all of a sha256, half of a sha512, which is as good as unique. */
const width = 32;
/** Above this share of full slots the set grows. */
const load = 0.6;

/**
 * A set of digests that costs some 50 to 100 bytes each, where one of strings costs several times
 * as much: a registry of a million blobs is looked through within 100 MB. It only grows; of a
 * digest that is in it, it never says that it is not.
 */
export class DigestSet {
  #slots = Buffer.alloc(1024 * width);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(digest: Digest): void {
    const key = keyOf(digest);
    if (isEmpty(key, 0)) return;
    if (this.#put(key)) this.#size++;
    if ((this.#size * width) / this.#slots.length > load) this.#grow();
  }

  has(digest: Digest): boolean {
    const key = keyOf(digest);
    // Stands for an empty slot; nothing has such a digest.
    if (isEmpty(key, 0)) return true;
    return !isEmpty(this.#slots, this.#find(key));
  }

  /** Whether it is new. */
  #put(key: Buffer): boolean {
    const at = this.#find(key);
    if (!isEmpty(this.#slots, at)) return false;
    key.copy(this.#slots, at);
    return true;
  }

  /** Where the key is, or the empty slot where it belongs. Digests are as random as any hash of them. */
  #find(key: Buffer): number {
    const slots = this.#slots;
    let at = (key.readUInt32LE(0) * width) % slots.length;
    while (!isEmpty(slots, at) && slots.compare(key, 0, width, at, at + width) !== 0) {
      at = (at + width) % slots.length;
    }
    return at;
  }

  #grow(): void {
    const full = this.#slots;
    this.#slots = Buffer.alloc(full.length * 2);
    for (let at = 0; at < full.length; at += width) {
      if (!isEmpty(full, at)) this.#put(full.subarray(at, at + width));
    }
  }
}

function keyOf(digest: Digest): Buffer {
  return Buffer.from(splitDigest(digest).hex.slice(0, width * 2), 'hex');
}

function isEmpty(slots: Buffer, at: number): boolean {
  for (let each = at; each < at + width; each++) if (slots[each] !== 0) return false;
  return true;
}
