import { RegistryError } from './errors.ts';

/** A repository's name within its registry, such as `library/alpine`, checked. */
export type RepositoryName = string & { readonly __brand: 'RepositoryName' };

/**
 * The one canonical key of a repository across all registries: the upstream's name, a slash, the
 * repository's name, as in `docker.io/library/alpine`. Two registries never share one.
 */
export type QualifiedName = string & { readonly __brand: 'QualifiedName' };

/** What stands in place of an upstream for repositories that are hosted here; no upstream's name may start with `_`. */
export const hostedUpstream = '_hosted';

/** Distribution specification, "Pulling manifests": `<name>`. */
const shape = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** Many clients limit registry host plus name to 255 characters; so do we, for the name. */
const maxLength = 255;

/**
 * Parses a repository name. What passes is safe as a relative path: no empty, `.` or `..`
 * component, no upper case, nothing starting with `_`.
 * @throws RegistryError NAME_INVALID
 */
export function parseRepositoryName(text: string): RepositoryName {
  if (text.length <= maxLength && shape.test(text)) return text as RepositoryName;
  throw new RegistryError('NAME_INVALID', undefined, { detail: { name: text.slice(0, 300) } });
}

/** A name with that of a registry in front, and perhaps a port, as in `localhost:5000/app`. */
const behindRegistry = /^[a-z0-9][a-z0-9.-]*(?::\d{1,5})?\/([^/].*)$/;

/** The longest name of a host, a port, a slash. */
const longestFront = 253 + 6 + 1;

/**
 * Whether a text can be the name of a repository, by itself or behind the name of some registry:
 * the same whatever registries there are.
 */
export function canNameRepository(text: string): boolean {
  if (text.length > longestFront + maxLength) return false;
  return shape.test(text) || shape.test(behindRegistry.exec(text)?.[1] ?? '');
}

/** Joins an upstream's name and a repository's name into the canonical key. */
export function qualify(upstream: string, name: RepositoryName): QualifiedName {
  return `${upstream}/${name}` as QualifiedName;
}
