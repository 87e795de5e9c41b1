import { splitDigest, type Digest } from '../oci/digest.ts';

/*
 * A bundle is an OCI image layout (image-spec, image-layout.md) in a tar, with two files more. They
 * stand in this order, so that who reads it as a stream knows everything before the first blob:
 * `oci-layout`, `baleen.json`, `baleen.sig` where it is signed, `index.json`, then the manifests and
 * then the blobs, each in ASCII order of their digests.
 */

/** The names of a bundle's files. */
export const bundleFiles = {
  layout: 'oci-layout',
  /** The digest index; see {@link BundleIndex}. */
  digests: 'baleen.json',
  /** What vouches for the digest index, and so for everything; see {@link signDigests}. */
  signature: 'baleen.sig',
  index: 'index.json',
} as const;

/** The bytes of `oci-layout`. */
export const layoutFile = '{"imageLayoutVersion":"1.0.0"}';

/** Where content lies in the layout: `blobs/sha256/<hex>`. */
export function pathOf(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}

/** Annotations with the name of an image, in `index.json`. */
export const nameAnnotations = {
  /** image-spec, annotations.md; what skopeo and podman look for behind `oci-archive:FILE:`. */
  ref: 'org.opencontainers.image.ref.name',
  /** What containerd and docker call the image when they import it. */
  containerd: 'io.containerd.image.name',
} as const;
