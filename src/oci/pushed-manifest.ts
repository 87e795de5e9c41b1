import { isAnnotations } from './annotations.ts';
import { isDescriptor, type Descriptor } from './descriptor.ts';
import {
  inferType,
  invalidManifest,
  readDocument,
  readManifest,
  type Manifest,
  type ManifestDocument,
} from './manifest.ts';
import { bareMediaType, isIndexType, isManifestType } from './media-type.ts';
import { RegistryError } from './errors.ts';

/** A manifest as a client pushes it: judged more strictly than one that an upstream serves already. */
export interface PushedManifest extends Manifest {
  /** What it refers to; it need not be there (distribution specification, "Pushing Manifests with Subject"). */
  readonly subject: Descriptor | undefined;
  /** As a list of referrers says it: its own, or else its config's media type; an index may have none. */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/** Content types that say nothing: the document's own `mediaType` does then. */
const vague: ReadonlySet<string> = new Set(['', 'application/json', 'application/octet-stream']);

/**
 * Reads a manifest that a client pushes. Its Content-Type is what it will be served with, so it
 * has to be one of ours and has to agree with what the document says of itself (distribution
 * specification, "Pushing Manifests").
 * @throws RegistryError MANIFEST_INVALID
 */
export function parsePushedManifest(
  bytes: Buffer,
  contentType: string | undefined,
): PushedManifest {
  const sent = bareMediaType(contentType);
  if (isSchema1(sent)) throw schema1();
  const document = documentOf(bytes);
  const declared = document['mediaType'];
  if (declared !== undefined && typeof declared !== 'string') {
    throw invalidManifest('its mediaType is not text');
  }
  const mediaType = vague.has(sent) ? (declared ?? inferType(document)) : sent;
  if (!isManifestType(mediaType)) {
    throw invalidManifest(`unsupported media type ${(mediaType || 'of no name').slice(0, 200)}`);
  }
  if (declared !== undefined && declared !== mediaType) {
    throw invalidManifest(
      `the Content-Type is ${mediaType}, and its mediaType is ${declared.slice(0, 200)}`,
    );
  }
  refuseBoth(document, mediaType);
  return { ...readManifest(document, mediaType), ...referrerParts(document, mediaType) };
}

function documentOf(bytes: Buffer): ManifestDocument {
  try {
    return readDocument(bytes);
  } catch (error) {
    if (isSchema1Document(bytes)) throw schema1();
    throw error;
  }
}

/** What is both an image and an index is read as one by some and as the other by others (CVE-2021-41190). */
function refuseBoth(document: ManifestDocument, mediaType: string): void {
  const [isThis, others] = isIndexType(mediaType)
    ? ['an index', ['config', 'layers']]
    : ['an image manifest', ['manifests']];
  const other = others.find((key) => (document[key] ?? undefined) !== undefined);
  if (other !== undefined) throw invalidManifest(`${isThis} cannot have ${other}`);
}

function referrerParts(
  document: ManifestDocument,
  mediaType: string,
): Pick<PushedManifest, 'subject' | 'artifactType' | 'annotations'> {
  const { subject, artifactType, annotations, config } = document;
  if (subject !== undefined && subject !== null && !isDescriptor(subject)) {
    throw invalidManifest('its subject is malformed');
  }
  const own = typeof artifactType === 'string' && artifactType !== '' ? artifactType : undefined;
  const fallback = isDescriptor(config) && !isIndexType(mediaType) ? config.mediaType : undefined;
  return {
    subject: isDescriptor(subject) ? subject : undefined,
    artifactType: own ?? fallback,
    annotations: isAnnotations(annotations) ? annotations : undefined,
  };
}

function isSchema1(mediaType: string): boolean {
  return /^application\/vnd\.docker\.distribution\.manifest\.v1\b/.test(mediaType);
}

function isSchema1Document(bytes: Buffer): boolean {
  try {
    return (JSON.parse(bytes.toString('utf8')) as ManifestDocument | null)?.['schemaVersion'] === 1;
  } catch {
    return false;
  }
}

function schema1(): RegistryError {
  return new RegistryError(
    'MANIFEST_INVALID',
    'Docker schema 1 manifests are not supported: push with a current client',
  );
}
