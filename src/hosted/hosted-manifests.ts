import type { Catalog } from '../catalog/catalog.ts';
import { RegistryError } from '../oci/errors.ts';
import { isDigestReference, type Reference } from '../oci/reference.ts';
import type { Digest } from '../oci/digest.ts';
import type { ManifestAnswer } from '../registry/get-manifest.ts';
import type { ManifestCache, StoredManifest } from '../registry/manifest-cache.ts';
import { hit } from '../registry/outcome.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import type { ReferrersIndexes } from './referrers-indexes.ts';

/** Told of what an operator should hear about. */
export interface HostedManifestObserver {
  /** A manifest is on record, and what is stored under its digest is missing or wrong. */
  lost(route: HostedRoute, reference: Reference, digest: Digest): void;
}

export interface HostedManifestsOptions {
  readonly catalog: Catalog;
  readonly cache: ManifestCache;
  /** What stands in for tags that nobody has pushed. */
  readonly indexes: Pick<ReferrersIndexes, 'byTag' | 'byDigest'>;
  readonly observer: HostedManifestObserver;
}

/** The manifests of repositories that live here. */
export class HostedManifests {
  readonly #options: HostedManifestsOptions;

  constructor(options: HostedManifestsOptions) {
    this.#options = options;
  }

  /** @throws RegistryError MANIFEST_UNKNOWN; pushing a manifest that was lost repairs it */
  async get(route: HostedRoute, reference: Reference): Promise<ManifestAnswer> {
    const { catalog, cache, indexes, observer } = this.#options;
    const isDigest = isDigestReference(reference);
    const known = isDigest
      ? await catalog.linked(route.key, 'manifests', reference)
      : await catalog.tag(route.key, reference);
    if (known === undefined) {
      const index = isDigest
        ? indexes.byDigest(route.key, reference)
        : await indexes.byTag(route.key, reference);
      return answer(index);
    }
    // Without an await where the bytes are in memory: this is the hottest path there is.
    const cached = cache.peek(known.digest, known.mediaType);
    if (cached !== undefined) return answer(cached);
    const stored = await cache.get(known.digest, known.mediaType);
    if (stored === undefined) observer.lost(route, reference, known.digest);
    return answer(stored);
  }
}

function answer(manifest: StoredManifest | undefined): ManifestAnswer {
  if (manifest === undefined) throw new RegistryError('MANIFEST_UNKNOWN');
  const { digest, mediaType, bytes } = manifest;
  return { digest, mediaType, bytes, outcome: hit };
}
