import { isDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import type { Tag } from '../oci/reference.ts';
import {
  hostedUpstream,
  parseRepositoryName,
  qualify,
  type QualifiedName,
} from '../oci/repository-name.ts';
import { parseImageTarget, type UpstreamNames } from '../registry/image-target.ts';
import type { ImageSource } from './image-source.ts';
import type { Choice } from './image-walk.ts';

/** An image, or every tag of a repository. */
export interface NamedImages {
  readonly source: ImageSource;
  /** The key in the record. */
  readonly repository: QualifiedName;
  /** Undefined for all of the repository. */
  readonly reference: Tag | Digest | undefined;
}

/** What is to be exported. */
export interface ExportTarget extends NamedImages {
  /** What of an index. */
  readonly choice: Choice;
}

/** Where images are looked for. */
export interface ExportSources {
  readonly names: UpstreamNames;
  readonly cached: ImageSource;
  /** Undefined where nothing was ever pushed. */
  readonly hosted: ImageSource | undefined;
  /** Whether a name means what is hosted here, as it does for clients. */
  readonly isHosted: (name: string) => boolean;
}

/**
 * Understands what users write: `nginx:1.27`, `ghcr.io/org/app@sha256:…`, `local/app`.
 * @throws RegistryError DIGEST_INVALID, TAG_INVALID, NAME_INVALID, or NAME_UNKNOWN
 */
export function parseExportTarget(text: string, sources: ExportSources): NamedImages {
  const { hosted, cached, names, isHosted } = sources;
  const pushed = isDigest(text) ? undefined : parseImageReference(text);
  if (pushed !== undefined && hosted !== undefined && isHosted(pushed.name)) {
    const repository = qualify(hostedUpstream, parseRepositoryName(pushed.name));
    return { source: hosted, repository, reference: pushed.digest ?? pushed.tag };
  }
  const target = parseImageTarget(text, names, () => false);
  switch (target.kind) {
    case 'digest':
      throw new RegistryError('NAME_INVALID', 'a digest alone is no image: write name@digest');
    case 'repository':
      return { source: cached, repository: target.repository, reference: undefined };
    case 'tag':
      return { source: cached, repository: target.repository, reference: target.tag };
    case 'manifest':
      return { source: cached, repository: target.repository, reference: target.digest };
  }
}

/** The name of a repository in a bundle: in full, or bare where it was pushed. */
export function nameOf(repository: QualifiedName): string {
  const front = `${hostedUpstream}/`;
  return repository.startsWith(front) ? repository.slice(front.length) : repository;
}

/** The name of an image in a bundle. */
export function imageName(repository: QualifiedName, reference: Tag | Digest): string {
  return `${nameOf(repository)}${reference.includes(':') ? '@' : ':'}${reference}`;
}
