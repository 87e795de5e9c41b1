import type { Catalog } from '../catalog/catalog.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import type { ProxiedRoute } from './resolve-route.ts';

/**
 * Fails at once where the upstream lately said that there is no such thing.
 * @param what `manifests/<reference>` or `blobs/<digest>`
 */
export async function refuseIfAbsent(
  catalog: Catalog,
  route: ProxiedRoute,
  what: string,
): Promise<void> {
  // Who is never asked has said nothing; what was said before does not count any more.
  if (route.remote.offline === true || !(await catalog.absent(route.key, what))) return;
  const code = what.startsWith('blobs/') ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN';
  throw new RegistryError(code, `${route.remote.name} lately answered that this is not there`, {
    detail: { name: route.repository, reference: what.slice(what.indexOf('/') + 1) },
  });
}

/** Remembers an upstream's "there is no such thing" for its short time; any other failure passes. */
export async function noteAbsence(
  catalog: Catalog,
  route: ProxiedRoute,
  what: string,
  error: unknown,
): Promise<void> {
  if (!isRegistryError(error, 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN')) return;
  await catalog.putAbsent(route.key, what, route.remote.policy.negativeTtl);
}
