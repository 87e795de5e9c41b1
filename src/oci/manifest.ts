import { isDescriptor, type Descriptor } from './descriptor.ts';
import { RegistryError } from './errors.ts';
import { bareMediaType, isIndexType, isManifestType, mediaTypes } from './media-type.ts';

/** What Baleen has to know of a manifest: its type, and what it points to. The bytes are kept as they came. */
export interface Manifest {
  /** As answered in Content-Type. */
  readonly mediaType: string;
  /** Children of an index. */
  readonly manifests: readonly Descriptor[];
  /**
   * Config and layers of an image. Also what an index names that is no manifest: BuildKit's cache is
   * an index of layers.
   */
  readonly blobs: readonly Descriptor[];
}

/**
 * The largest manifest that is accepted, in bytes. The specification asks for 4 MiB at least;
 * this is containerd's own limit, a little above.
 */
export const maxManifestSize = 4_393_216;

/**
 * Reads a manifest that was fetched from elsewhere.
 * @param contentType the Content-Type it came with; registries that send a vague one
 *   (`application/json`, `text/plain`) are taken by the document's own `mediaType`.
 * @throws RegistryError MANIFEST_INVALID: not JSON, not a manifest, or of a type that is not served
 *   (an HTML page of a captive portal, Docker schema 1).
 */
export function parseManifest(bytes: Buffer, contentType: string | undefined): Manifest {
  const document = readDocument(bytes);
  const declared = document['mediaType'];
  const sent = bareMediaType(contentType);
  const mediaType = isManifestType(sent)
    ? sent
    : typeof declared === 'string'
      ? declared
      : inferType(document);
  if (!isManifestType(mediaType)) {
    throw invalidManifest(`unsupported media type ${mediaType || sent}`);
  }
  return readManifest(document, mediaType);
}

/**
 * What a document of a media type points to.
 * @throws RegistryError MANIFEST_INVALID
 */
export function readManifest(document: ManifestDocument, mediaType: string): Manifest {
  if (isIndexType(mediaType)) {
    const children = descriptors(document, 'manifests');
    return {
      mediaType,
      manifests: children.filter((child) => isManifestType(child.mediaType)),
      blobs: children.filter((child) => !isManifestType(child.mediaType)),
    };
  }
  const config = document['config'];
  if (!isDescriptor(config)) throw invalidManifest('an image manifest needs a config descriptor');
  return { mediaType, manifests: [], blobs: [config, ...descriptors(document, 'layers')] };
}

/** A manifest's JSON, with nothing known of it but that it is of the second schema. */
export type ManifestDocument = Readonly<Record<string, unknown>>;

/** @throws RegistryError MANIFEST_INVALID */
export function readDocument(bytes: Buffer): ManifestDocument {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new RegistryError('MANIFEST_INVALID', 'the manifest is not JSON', { cause });
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalidManifest('the manifest is not a JSON object');
  }
  const object = document as ManifestDocument;
  if (object['schemaVersion'] !== 2) throw invalidManifest('only schemaVersion 2 is supported');
  return object;
}

/** An OCI document may leave `mediaType` out; what it holds then tells which it is. Empty where it does not. */
export function inferType(document: ManifestDocument): string {
  if (Array.isArray(document['manifests'])) return mediaTypes.ociIndex;
  return Array.isArray(document['layers']) ? mediaTypes.ociManifest : '';
}

function descriptors(document: ManifestDocument, key: string): Descriptor[] {
  const list = document[key] ?? [];
  if (!Array.isArray(list) || !list.every(isDescriptor)) {
    throw invalidManifest(`${key} are malformed`);
  }
  return list;
}

export function invalidManifest(message: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', message);
}
