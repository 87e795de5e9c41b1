import { isDigest, type Digest } from './digest.ts';

/** A pointer to content (image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [property: string]: unknown;
}

/** Whether a value out of a foreign JSON document has what a descriptor needs, rightly typed. */
export function isDescriptor(value: unknown): value is Descriptor {
  if (typeof value !== 'object' || value === null) return false;
  const { mediaType, digest, size } = value as Record<string, unknown>;
  return (
    typeof mediaType === 'string' &&
    typeof digest === 'string' &&
    isDigest(digest) &&
    typeof size === 'number' &&
    Number.isSafeInteger(size) &&
    size >= 0
  );
}

/**
 * Whether it may be kept and passed on: there are layers that their publisher lets nobody else
 * distribute, and that clients fetch where their `urls` say.
 */
export function isDistributable({ mediaType, urls }: Descriptor): boolean {
  const isRestricted = /\.foreign\.|\.nondistributable\./.test(mediaType);
  return !(isRestricted && Array.isArray(urls) && urls.length > 0);
}
