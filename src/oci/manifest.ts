import { isDescriptor, type Descriptor } from './descriptor.ts';
import { RegistryError } from './errors.ts';
import { bareMediaType, isIndexType, isManifestType, mediaTypes } from './media-type.ts';

/** What Baleen has to know of a manifest: its type, and what it points to. The bytes are kept as they came. */
export interface Manifest {
  /** As answered in Content-Type. */
  readonly mediaType: string;
  /** Children of an index. */
  readonly manifests: readonly Descriptor[];
  /** Config and layers of an image. */
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
  const document = parseObject(bytes);
  const declared = document['mediaType'];
  const sent = bareMediaType(contentType);
  const mediaType = isManifestType(sent)
    ? sent
    : typeof declared === 'string'
      ? declared
      : inferType(document);
  if (!isManifestType(mediaType)) throw invalid(`unsupported media type ${mediaType || sent}`);
  if (isIndexType(mediaType)) {
    return { mediaType, manifests: descriptors(document, 'manifests'), blobs: [] };
  }
  const config = document['config'];
  if (!isDescriptor(config)) throw invalid('an image manifest needs a config descriptor');
  return { mediaType, manifests: [], blobs: [config, ...descriptors(document, 'layers')] };
}

function parseObject(bytes: Buffer): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new RegistryError('MANIFEST_INVALID', 'the manifest is not JSON', { cause });
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalid('the manifest is not a JSON object');
  }
  const object = document as Record<string, unknown>;
  if (object['schemaVersion'] !== 2) throw invalid('only schemaVersion 2 is supported');
  return object;
}

/** An OCI document may leave `mediaType` out; what it holds then tells which it is. */
function inferType(document: Record<string, unknown>): string {
  if (Array.isArray(document['manifests'])) return mediaTypes.ociIndex;
  return Array.isArray(document['layers']) ? mediaTypes.ociManifest : '';
}

function descriptors(document: Record<string, unknown>, key: string): Descriptor[] {
  const list = document[key] ?? [];
  if (!Array.isArray(list) || !list.every(isDescriptor)) throw invalid(`${key} are malformed`);
  return list;
}

function invalid(message: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', message);
}
