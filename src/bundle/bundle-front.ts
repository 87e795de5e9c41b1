import type { KeyObject } from 'node:crypto';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { mediaTypes } from '../oci/media-type.ts';
import { maxBundleIndexSize, maxLayoutIndexSize, type BundleIndex } from './bundle-index.ts';
import { bundleFiles, layoutFile, nameAnnotations } from './bundle-layout.ts';
import type { BundlePlan } from './bundle-plan.ts';
import { signDigests } from './bundle-signature.ts';

/** One of the small files at the front of a bundle. */
export interface FrontFile {
  readonly path: string;
  readonly bytes: Buffer;
}

/**
 * Makes the files that stand in front of the manifests, in their order.
 * @param key what to sign with
 * @throws RegistryError SIZE_LIMIT where there is too much for one bundle
 */
export function frontOf(plan: BundlePlan, key: KeyObject | undefined): FrontFile[] {
  const index = layoutIndex(plan);
  const digests = digestIndex(plan, index);
  if (digests.length > maxBundleIndexSize || index.length > maxLayoutIndexSize) {
    throw new RegistryError(
      'SIZE_LIMIT',
      'these are too many images for one bundle: write several',
    );
  }
  return [
    { path: bundleFiles.layout, bytes: Buffer.from(layoutFile) },
    { path: bundleFiles.digests, bytes: digests },
    ...(key === undefined
      ? []
      : [{ path: bundleFiles.signature, bytes: signDigests(digests, key) }]),
    { path: bundleFiles.index, bytes: index },
  ];
}

/** One thing a line, so that it can be looked through. */
function digestIndex({ images, referrers, manifests, blobs }: BundlePlan, index: Buffer): Buffer {
  const document: BundleIndex = {
    version: 1,
    index: { digest: digestOf(index), size: index.length },
    images,
    referrers,
    manifests,
    blobs,
  };
  const members = Object.entries(document).map(([key, value]) => {
    if (!Array.isArray(value)) return `"${key}":${JSON.stringify(value)}`;
    const lines = value.map((each) => `\n${JSON.stringify(each)}`);
    return `"${key}":[${lines.join(',')}]`;
  });
  return Buffer.from(`{${members.join(',\n')}}\n`);
}

/** The index of the layout (image-spec, image-layout.md, "index.json File"). */
function layoutIndex({ images, referrers }: BundlePlan): Buffer {
  const named = images.map(({ name, mediaType, digest, size }): Descriptor => {
    const annotations = { [nameAnnotations.ref]: name, [nameAnnotations.containerd]: name };
    return { mediaType, digest, size, annotations };
  });
  const aliases = named.filter(({ mediaType }) => ociTypes.has(mediaType)).map(asOci);
  const attached = new Map(
    referrers.map(
      ({ mediaType, digest, size, artifactType, annotations }): [string, Descriptor] => [
        digest,
        {
          mediaType,
          digest,
          size,
          ...(artifactType !== undefined && { artifactType }),
          ...(annotations !== undefined && { annotations }),
        },
      ],
    ),
  );
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [...aliases, ...named, ...attached.values()],
  };
  return Buffer.from(JSON.stringify(document));
}

/** What stands for Docker's types in the OCI's. */
const ociTypes: ReadonlyMap<string, string> = new Map([
  [mediaTypes.dockerList, mediaTypes.ociIndex],
  [mediaTypes.dockerManifest, mediaTypes.ociManifest],
]);

/**
 * The same once more, for skopeo and podman: up to some version, they find nothing of Docker's types
 * under a name (containers/image, oci/layout, `getManifestDescriptor`). They take the first that they
 * find; containerd, which calls images by this name as well, takes the last.
 */
function asOci(descriptor: Descriptor): Descriptor {
  const { mediaType } = descriptor;
  return { ...descriptor, mediaType: ociTypes.get(mediaType) ?? mediaType };
}
