import type { Member } from '../catalog/catalog.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isManifestType } from '../oci/media-type.ts';

/**
 * Descriptors of one document that are put on record; each is a file. What is beyond them is asked
 * for when it is wanted.
 */
const maxClaims = 500;

/** What an index or a list of referrers says of the manifests that belong to its repository. */
export function claims(descriptors: readonly Descriptor[]): Member[] {
  return claimsOf(descriptors.filter(({ mediaType }) => isManifestType(mediaType)));
}

/** What a manifest says of the blobs that belong to its repository. */
export function blobClaims(descriptors: readonly Descriptor[]): Member[] {
  return claimsOf(descriptors);
}

function claimsOf(descriptors: readonly Descriptor[]): Member[] {
  return descriptors
    .slice(0, maxClaims)
    .map(({ digest, mediaType, size }) => ({ digest, mediaType, size, claimed: true }));
}
