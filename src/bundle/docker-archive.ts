import type { Digest } from '../oci/digest.ts';
import { mediaTypes } from '../oci/media-type.ts';
import type { BundledContent } from './bundle-index.ts';
import type { Compression } from './compression.ts';
import { invalidBundle } from './faults.ts';

/* What `docker save` writes, and podman, skopeo and others as `docker-archive`: images without manifests. */

/** One image of `manifest.json`. */
export interface SavedImage {
  /** The path of its config. */
  readonly config: string;
  /** Its names; none for one that was saved by its id. */
  readonly names: readonly string[];
  /** The paths of its layers. */
  readonly layers: readonly string[];
}

/** Layers of one image: Docker itself takes no more than 127. */
const maxLayers = 1000;

/** @throws RegistryError BUNDLE_INVALID */
export function parseSavedImages(bytes: Buffer): SavedImage[] {
  const document = parseJson(bytes, 'manifest.json');
  if (!Array.isArray(document)) throw invalidBundle('manifest.json is no list of images');
  return document.map((image: unknown) => {
    const {
      Config: config,
      RepoTags: names,
      Layers: layers,
    } = (image ?? {}) as Record<string, unknown>;
    const isRight =
      typeof config === 'string' &&
      isTexts(layers) &&
      layers.length <= maxLayers &&
      isTexts(names ?? []);
    if (!isRight) throw invalidBundle('manifest.json is malformed');
    return { config, names: (names ?? []) as readonly string[], layers };
  });
}

/** A layer as it lies in the archive. */
export interface SavedLayer extends BundledContent {
  readonly compression: Compression | undefined;
}

/**
 * Makes the manifest of an image that has none: its config and its layers as they are. The same image
 * always gets the same bytes.
 * @param config its bytes, as they are
 * @throws RegistryError BUNDLE_INVALID where a layer is not the one that the config says
 */
export function manifestOf(
  config: BundledContent,
  bytes: Buffer,
  layers: readonly SavedLayer[],
): Buffer {
  const ids = diffIdsOf(bytes);
  if (ids.length !== layers.length) {
    throw invalidBundle(
      `the config ${config.digest} is for ${ids.length} layers, and there are ${layers.length}`,
    );
  }
  for (const [at, { digest, compression }] of layers.entries()) {
    // What is packed has another digest than what the config knows: clients compare it when they unpack.
    if (compression === undefined && ids[at] !== digest) {
      throw invalidBundle(
        `a layer is damaged: it has the digest ${digest}, and should have ${ids[at]}`,
      );
    }
  }
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: config.digest,
        size: config.size,
      },
      layers: layers.map(({ digest, size, compression }) => ({
        mediaType: `application/vnd.oci.image.layer.v1.tar${compression === undefined ? '' : `+${compression}`}`,
        digest,
        size,
      })),
    }),
  );
}

/** What the layers are when they are unpacked (image-spec, config.md, "rootfs"). */
function diffIdsOf(config: Buffer): Digest[] {
  const document = parseJson(config, 'a config');
  const { rootfs } = (document ?? {}) as { rootfs?: { diff_ids?: unknown } | null };
  const ids = rootfs?.diff_ids ?? [];
  if (!isTexts(ids)) throw invalidBundle('a config is malformed');
  return ids as Digest[];
}

/** @throws RegistryError BUNDLE_INVALID */
export function parseJson(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw invalidBundle(`${what} is not JSON`, cause);
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
