import { createHash } from 'node:crypto';

/** Blobs that are cheap to make and have a digest known beforehand: one seeded block, repeated. */
export interface BlobContent {
  readonly seed: number;
  /** Bytes. */
  readonly size: number;
  readonly digest: string;
  /** Bytes a second at which the upstream sends it over one connection; 0 for as fast as it goes. */
  readonly rate: number;
}

/** One image of the upstream. */
export interface ImageContent {
  readonly repository: string;
  readonly tag: string;
  readonly mediaType: string;
  readonly manifest: string;
  readonly digest: string;
}

export const BLOCK_SIZE = 1 << 20;
const MEDIA_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** The block that a seed stands for: 1 MiB from a linear congruential generator (Numerical Recipes' constants). */
export function blockOf(seed: number): Buffer {
  const block = Buffer.allocUnsafeSlow(BLOCK_SIZE);
  let state = seed >>> 0;
  for (let offset = 0; offset < BLOCK_SIZE; offset += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    block.writeUInt32LE(state, offset);
  }
  return block;
}

export function blobOf(seed: number, size: number, rate: number): BlobContent {
  const block = blockOf(seed);
  const hash = createHash('sha256');
  for (let offset = 0; offset < size; offset += BLOCK_SIZE) {
    hash.update(block.subarray(0, Math.min(BLOCK_SIZE, size - offset)));
  }
  return { seed, size, rate, digest: `sha256:${hash.digest('hex')}` };
}

/**
 * An image of the usual shape. Where it has fewer than six layers, it is filled up with layers
 * that nobody fetches, so that its manifest has the usual size too.
 */
export function imageOf(repository: string, blobs: readonly BlobContent[]): ImageContent {
  const fillers = Array.from({ length: Math.max(0, 6 - blobs.length) }, (_, index) => ({
    digest: sha256(`${repository} filler ${index}`),
    size: 1_000_000 + index,
  }));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: sha256(`${repository} config`),
      size: 7_023,
    },
    layers: [...blobs, ...fillers].map(({ digest, size }) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest,
      size,
    })),
  });
  return { repository, tag: 'latest', mediaType: MEDIA_TYPE, manifest, digest: sha256(manifest) };
}

export const blobPath = (repository: string, digest: string): string =>
  `/v2/${repository}/blobs/${digest}`;

export const manifestPath = (repository: string, reference: string): string =>
  `/v2/${repository}/manifests/${reference}`;

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
