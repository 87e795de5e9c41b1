import type { Catalog } from '../catalog/catalog.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { isDigestReference, type Reference } from '../oci/reference.ts';
import type { ManifestAnswer } from '../registry/get-manifest.ts';
import type { ManifestCache } from '../registry/manifest-cache.ts';
import { hit } from '../registry/outcome.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';

export interface HostedManifestsOptions {
  readonly catalog: Catalog;
  readonly cache: ManifestCache;
}

/** The manifests of repositories that live here. */
export class HostedManifests {
  readonly #options: HostedManifestsOptions;

  constructor(options: HostedManifestsOptions) {
    this.#options = options;
  }

  /** @throws RegistryError MANIFEST_UNKNOWN */
  async get(route: HostedRoute, reference: Reference): Promise<ManifestAnswer> {
    const { catalog, cache } = this.#options;
    const known = isDigestReference(reference)
      ? await this.#member(route, reference)
      : await catalog.tag(route.key, reference);
    const stored = known && (await cache.get(known.digest, known.mediaType));
    if (stored === undefined) throw new RegistryError('MANIFEST_UNKNOWN');
    const { digest, mediaType, bytes } = stored;
    return { digest, mediaType, bytes, outcome: hit };
  }

  #member({ key }: HostedRoute, digest: Digest): ReturnType<Catalog['linked']> {
    return this.#options.catalog.linked(key, 'manifests', digest);
  }
}
