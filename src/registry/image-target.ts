import { isDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import type { Tag } from '../oci/reference.ts';
import { parseRepositoryName, qualify, type QualifiedName } from '../oci/repository-name.ts';
import { withLibrary } from './resolve-route.ts';

/** What somebody means on a command line. */
export type ImageTarget =
  /** Wherever it is. */
  | { readonly kind: 'digest'; readonly digest: Digest }
  /** All of it. */
  | { readonly kind: 'repository'; readonly repository: QualifiedName }
  | { readonly kind: 'tag'; readonly repository: QualifiedName; readonly tag: Tag }
  | { readonly kind: 'manifest'; readonly repository: QualifiedName; readonly digest: Digest };

/** How the names that users write are to be understood. */
export interface UpstreamNames {
  /** Every name of every upstream, with the one under which it is on record. */
  readonly upstreams: ReadonlyMap<string, string>;
  /** The upstream that is meant where none is named. */
  readonly defaultUpstream: string | undefined;
}

/**
 * Understands an image, a repository or a digest as users write it: `nginx:1.25` and
 * `docker.io/library/nginx:1.25` are the same. A name without tag and digest is a whole repository.
 * @param isOnRecord what is on record under exactly that name is meant, also where its upstream is
 *   no longer configured
 * @throws RegistryError DIGEST_INVALID, TAG_INVALID, NAME_INVALID, or NAME_UNKNOWN where no upstream
 *   can be meant
 */
export function parseImageTarget(
  text: string,
  names: UpstreamNames,
  isOnRecord: (name: string) => boolean,
): ImageTarget {
  if (isDigest(text)) return { kind: 'digest', digest: text };
  const { name, tag, digest } = parseImageReference(text);
  const repository = isOnRecord(name) ? (name as QualifiedName) : qualifiedName(name, names);
  if (digest !== undefined) return { kind: 'manifest', repository, digest };
  if (tag !== undefined) return { kind: 'tag', repository, tag };
  return { kind: 'repository', repository };
}

function qualifiedName(name: string, { upstreams, defaultUpstream }: UpstreamNames): QualifiedName {
  const slash = name.indexOf('/');
  const named = slash < 0 ? undefined : upstreams.get(name.slice(0, slash));
  const upstream = named ?? defaultUpstream;
  if (upstream === undefined) {
    throw new RegistryError('NAME_UNKNOWN', 'the name says no upstream, and there is no default', {
      detail: { name: name.slice(0, 300) },
    });
  }
  const rest = named === undefined ? name : name.slice(slash + 1);
  return qualify(upstream, parseRepositoryName(withLibrary(upstream, rest)));
}
