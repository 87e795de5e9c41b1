import { RegistryError } from '../oci/errors.ts';
import {
  hostedUpstream,
  parseRepositoryName,
  qualify,
  type QualifiedName,
  type RepositoryName,
} from '../oci/repository-name.ts';
import type { UpstreamNames } from './image-target.ts';
import { withLibrary, type HostedNames } from './resolve-route.ts';

/** Where a repository's content is kept: with what is cached of an upstream's, or with what was pushed. */
export interface ImagePlace {
  readonly part: 'cached' | 'hosted';
  /** The canonical key: `docker.io/library/nginx`, or `_hosted/<name>`. */
  readonly key: QualifiedName;
  readonly repository: RepositoryName;
}

/** Which names lead where, by the configuration alone. */
export interface PlaceNames extends UpstreamNames {
  /** Undefined where nothing is hosted. */
  readonly isHosted: HostedNames | undefined;
}

/**
 * Finds where an image belongs that comes from elsewhere: where a client would find it under its name.
 * @param name a repository's: behind its registry's (`ghcr.io/org/app`), or bare
 * @throws RegistryError NAME_INVALID, NAME_UNKNOWN where no client could ever find it
 */
export function placeOf(name: string, names: PlaceNames): ImagePlace {
  const slash = name.indexOf('/');
  const registry = slash < 0 ? '' : name.slice(0, slash);
  const upstream = names.upstreams.get(registry);
  if (upstream !== undefined) return cached(upstream, name.slice(slash + 1));
  const { defaultUpstream, isHosted } = names;
  // What dockerd asks its mirror for where a user says `alpine` is never hosted.
  const isOfficial = defaultUpstream === 'docker.io' && registry === 'library';
  if (!isOfficial && isHosted?.(name) === true) {
    const repository = parseRepositoryName(name);
    return { part: 'hosted', key: qualify(hostedUpstream, repository), repository };
  }
  const isRegistry = /[.:]/.test(registry) || registry === 'localhost';
  if (!isRegistry && defaultUpstream !== undefined) return cached(defaultUpstream, name);
  const missing = isRegistry
    ? `there is no "${registry.slice(0, 300)}" among the upstreams`
    : 'the name says no upstream, and there is no default_upstream';
  throw new RegistryError(
    'NAME_UNKNOWN',
    `${name.slice(0, 300)}: ${missing}, and hosted.repositories does not match it either: nobody could pull it from here`,
    { detail: { name: name.slice(0, 300) } },
  );
}

function cached(upstream: string, name: string): ImagePlace {
  const repository = parseRepositoryName(withLibrary(upstream, name));
  return { part: 'cached', key: qualify(upstream, repository), repository };
}
