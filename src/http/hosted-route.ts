import { RegistryError } from '../oci/errors.ts';
import type { HostedRoute, Route } from '../registry/resolve-route.ts';

/**
 * The route of a request that changes a repository, which has to live here.
 * @throws RegistryError UNSUPPORTED, with where the name leads instead
 */
export function hostedRoute(route: Route): HostedRoute {
  if (route.via === 'hosted') return route;
  throw new RegistryError(
    'UNSUPPORTED',
    `this name leads to ${route.remote.name}/${route.repository}, which can only be pulled from here; ` +
      'hosted.repositories in the configuration decides which names can be pushed to',
  );
}
