import type { KeyObject } from 'node:crypto';
import { signDigests } from '../../src/bundle/bundle-signature.ts';
import type { BundleIndex } from '../../src/bundle/bundle-index.ts';
import { digestOf, splitDigest, type Digest } from '../../src/oci/digest.ts';
import { descriptorOf, type Content, type Image } from './images.ts';
import { tar, type TarEntry } from './tar.ts';

/** An image under the full name that it has in a bundle. */
export interface NamedImage {
  readonly name: string;
  readonly image: Image;
}

/** What refers to an image of the bundle. */
export interface NamedReferrer {
  readonly repository: string;
  readonly subject: Digest;
  readonly artifactType: string;
  readonly image: Image;
}

export interface BundleOptions {
  readonly referrers?: readonly NamedReferrer[];
  /** Blobs that the far side is said to hold. */
  readonly without?: ReadonlySet<Digest>;
  /** Signs it. */
  readonly key?: KeyObject;
  /** Changes the digest index before it is written. */
  readonly alter?: (index: BundleIndex) => unknown;
}

/**
 * The entries of a bundle, written by hand from the description of the format, so that a reader is held to
 * that and not to a writer.
 */
export function bundleEntries(
  images: readonly NamedImage[],
  options: BundleOptions = {},
): TarEntry[] {
  const { referrers = [], without = new Set(), key, alter = (index) => index } = options;
  const all = [...images, ...referrers].map(({ image }) => image);
  const manifests = sorted(all.flatMap(({ manifest, children }) => [manifest, ...children]));
  const blobs = sorted(all.flatMap((image) => image.blobs));
  const layout = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      manifests: images.map(({ name, image }) => ({
        ...descriptorOf(image.manifest),
        annotations: {
          'org.opencontainers.image.ref.name': name,
          'io.containerd.image.name': name,
        },
      })),
    }),
  );
  const index: BundleIndex = {
    version: 1,
    index: {
      digest: digestOf(layout),
      size: layout.length,
    },
    images: images
      .map(({ name, image }) => ({ name, ...descriptorOf(image.manifest), platforms: [] }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    referrers: referrers.map(({ repository, subject, artifactType, image }) => ({
      repository,
      subject,
      ...descriptorOf(image.manifest),
      artifactType,
    })),
    manifests: manifests.map(descriptorOf),
    blobs: blobs.map(({ digest, bytes }) => ({
      digest,
      size: bytes.length,
      included: !without.has(digest),
    })),
  };
  const digests = Buffer.from(JSON.stringify(alter(index)));
  const included = blobs.filter(({ digest }) => !without.has(digest));
  return [
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: 'baleen.json', content: digests },
    ...(key === undefined ? [] : [{ path: 'baleen.sig', content: signDigests(digests, key) }]),
    { path: 'index.json', content: layout },
    ...[...manifests, ...included].map((content) => ({
      path: blobName(content.digest),
      content: content.bytes,
    })),
  ];
}

/** A bundle as a file. */
export function bundleOf(images: readonly NamedImage[], options: BundleOptions = {}): Buffer {
  return tar(bundleEntries(images, options));
}

/** Where content lies in it. */
export function blobName(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}

function sorted(contents: readonly Content[]): Content[] {
  const unique = new Map(contents.map((content) => [content.digest, content]));
  return [...unique.values()].toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
}
