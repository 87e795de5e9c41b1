import type { Digest } from '../oci/digest.ts';

/** Blobs that must stay for the time being, whoever needs room. */
export class Shields {
  readonly #raised = new Set<ReadonlySet<Digest>>();

  /**
   * Covers these until it is disposed.
   * @param changed told now and then
   */
  raise(digests: ReadonlySet<Digest>, changed: () => void): Disposable {
    this.#raised.add(digests);
    changed();
    return {
      [Symbol.dispose]: () => {
        this.#raised.delete(digests);
        changed();
      },
    };
  }

  /** Whether a blob has to stay. */
  cover(digest: Digest): boolean {
    for (const digests of this.#raised) if (digests.has(digest)) return true;
    return false;
  }
}
