import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';

/** Some bytes with their digest: a blob, or a manifest under the media type it has to be served with. */
export interface Content {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Buffer;
}

/** An image, index or artifact, with all that it points to. */
export interface Image {
  /** The manifest or index itself. */
  readonly manifest: Content;
  /** The manifests of an index's platforms. */
  readonly children: readonly Content[];
  /** Configs and layers. */
  readonly blobs: readonly Content[];
}

/** Which family of media types an image is written in. */
export type ImageFormat = 'oci' | 'docker';

const blobTypes = {
  oci: {
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
} as const;

/** Bytes under a media type. */
export function content(bytes: Buffer, mediaType: string): Content {
  return { mediaType, digest: digestOf(bytes), bytes };
}

/** Bytes that look random, do not compress, and are the same for the same seed (xorshift32). */
export function seededBytes(size: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  let at = 0;
  for (; at + 4 <= size; at += 4) bytes.writeUInt32LE(next(), at);
  for (; at < size; at += 1) bytes[at] = next() & 0xff;
  return bytes;
}

/** A blob of seeded bytes, typed as a layer. */
export function layerOf(size: number, seed: number, format: ImageFormat = 'oci'): Content {
  return content(seededBytes(size, seed), blobTypes[format].layer);
}

/** An image manifest over a config document and layers. */
export function imageOf(
  config: object,
  layers: readonly Content[],
  format: ImageFormat = 'oci',
): Image {
  const types = blobTypes[format];
  const configBlob = content(Buffer.from(JSON.stringify(config)), types.config);
  const mediaType = format === 'oci' ? mediaTypes.ociManifest : mediaTypes.dockerManifest;
  const document = {
    schemaVersion: 2,
    mediaType,
    config: descriptorOf(configBlob),
    layers: layers.map(descriptorOf),
  };
  return {
    manifest: content(Buffer.from(JSON.stringify(document, undefined, 2)), mediaType),
    children: [],
    blobs: [configBlob, ...layers],
  };
}

/** An image of layers with the given sizes in bytes; the seed makes it unlike any other. */
export function seededImage(
  sizes: readonly number[],
  seed: number,
  format: ImageFormat = 'oci',
): Image {
  const layers = sizes.map((size, index) => layerOf(size, seed * 1000 + index, format));
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: { seed: String(seed) } },
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  };
  return imageOf(config, layers, format);
}

/** A multi-platform index (or Docker manifest list) over images, keyed by architecture. */
export function indexOf(
  platforms: Readonly<Record<string, Image>>,
  format: ImageFormat = 'oci',
): Image {
  const mediaType = format === 'oci' ? mediaTypes.ociIndex : mediaTypes.dockerList;
  const images = Object.entries(platforms);
  const document = {
    schemaVersion: 2,
    mediaType,
    manifests: images.map(([architecture, image]) => ({
      ...descriptorOf(image.manifest),
      platform: { architecture, os: 'linux' },
    })),
  };
  const blobs = images.flatMap(([, image]) => image.blobs);
  return {
    manifest: content(Buffer.from(JSON.stringify(document, undefined, 2)), mediaType),
    children: images.map(([, image]) => image.manifest),
    blobs: [...new Map(blobs.map((blob) => [blob.digest, blob])).values()],
  };
}

/** An artifact that refers to a subject (a signature, an SBOM; image-spec, manifest.md, "subject"). */
export function artifactOf(subject: Content, artifactType: string, text: string): Image {
  const config = content(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
  const layer = content(Buffer.from(text), 'text/plain');
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType,
    config: descriptorOf(config),
    layers: [descriptorOf(layer)],
    subject: descriptorOf(subject),
    annotations: { 'org.example.text': text },
  };
  return {
    manifest: content(Buffer.from(JSON.stringify(document)), mediaTypes.ociManifest),
    children: [],
    blobs: [config, layer],
  };
}

/** Media type, digest and size of some content. */
export function descriptorOf({ mediaType, digest, bytes }: Content): {
  mediaType: string;
  digest: Digest;
  size: number;
} {
  return { mediaType, digest, size: bytes.length };
}
