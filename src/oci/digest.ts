import { createHash, type Hash } from 'node:crypto';
import { RegistryError } from './errors.ts';

/** `<algorithm>:<lower-case hex>`, checked (image-spec, descriptor.md, "Digests"). */
export type Digest = string & { readonly __brand: 'Digest' };

/** The algorithms registered by the image specification, with the length of their hex form. */
const hexLength = { sha256: 64, sha512: 128 } as const;

/** A digest algorithm that Baleen can verify. */
export type DigestAlgorithm = keyof typeof hexLength;

/** All of them, in ASCII order. */
export const digestAlgorithms = ['sha256', 'sha512'] as const satisfies readonly DigestAlgorithm[];

const shape = /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Whether the text is a well-formed digest of an algorithm that can be verified. */
export function isDigest(text: string): text is Digest {
  return shape.test(text);
}

/**
 * Parses a digest.
 * @throws RegistryError DIGEST_INVALID
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new RegistryError('DIGEST_INVALID', undefined, { detail: { digest: text.slice(0, 200) } });
}

/** The algorithm and the hex part of a digest. */
export function splitDigest(digest: Digest): { algorithm: DigestAlgorithm; hex: string } {
  const colon = digest.indexOf(':');
  return { algorithm: digest.slice(0, colon) as DigestAlgorithm, hex: digest.slice(colon + 1) };
}

/** The digest of some bytes; sha256 unless told otherwise. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest;
}

/** A running hash that ends as a {@link Digest}. */
export class Digester {
  readonly algorithm: DigestAlgorithm;
  readonly #hash: Hash;

  constructor(algorithm: DigestAlgorithm) {
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** The digest of what came until now; more may follow. */
  soFar(): Digest {
    return `${this.algorithm}:${this.#hash.copy().digest('hex')}` as Digest;
  }

  /** Ends the hash; call once. */
  digest(): Digest {
    return `${this.algorithm}:${this.#hash.digest('hex')}` as Digest;
  }
}
