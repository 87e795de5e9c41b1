import { RegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { isDigestReference, type Reference, type Tag } from '../oci/reference.ts';
import type { Route, RouteTable } from '../registry/resolve-route.ts';

/** One image that is wanted. */
export interface WarmTarget {
  /** In full: `docker.io/library/nginx:1.27`; of what is hosted, as it was pushed. */
  readonly name: string;
  readonly route: Route;
  readonly reference: Reference;
}

/**
 * Finds the image that somebody means; without a tag, `latest`.
 * @throws RegistryError as for names and references, and as {@link findRepository}
 */
export function findTarget(text: string, table: RouteTable): WarmTarget {
  const { name, tag, digest } = parseImageReference(text);
  const route = findRepository(name, table);
  const reference = digest ?? tag ?? ('latest' as Tag);
  const repository = route.via === 'hosted' ? route.repository : route.key;
  const separator = isDigestReference(reference) ? '@' : ':';
  return { name: `${repository}${separator}${reference}`, route, reference };
}

/**
 * Finds the repository that a name means, in the way of clients' requests. What has a registry in front
 * that is not configured is refused: the default upstream has no such thing.
 * @throws RegistryError NAME_INVALID, NAME_UNKNOWN, or DENIED by the upstream's globs
 */
export function findRepository(name: string, table: RouteTable): Route {
  const registry = name.slice(0, Math.max(0, name.indexOf('/')));
  const isForeign = isRegistry(registry) && !table.isUpstream(registry) && !table.isHosted(name);
  if (isForeign) {
    throw new RegistryError(
      'NAME_UNKNOWN',
      `no upstream is configured for ${registry}: add it under upstreams`,
    );
  }
  return table.resolve({ name });
}

/** As clients tell the two apart (the reference grammar of distribution). */
function isRegistry(component: string): boolean {
  return component === 'localhost' || /[.:]/.test(component);
}
