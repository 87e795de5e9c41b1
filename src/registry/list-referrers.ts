import type { Catalog, Listing } from '../catalog/catalog.ts';
import { SingleFlight } from '../lib/single-flight.ts';
import { isDescriptor, type Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isRegistryError } from '../oci/errors.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isIndexType } from '../oci/media-type.ts';
import { claims } from './claims.ts';
import { referrersTag } from '../oci/reference.ts';
import { freshFor, isUpstreamFailure } from './freshness.ts';
import type { ManifestService } from './get-manifest.ts';
import { hit, type Outcome } from './outcome.ts';
import type { ProxiedRoute } from './resolve-route.ts';

/** The referrers of a subject, unfiltered. */
export interface ReferrersAnswer {
  readonly manifests: readonly Descriptor[];
  readonly outcome: Outcome;
}

/**
 * Lists what refers to a manifest: signatures, SBOMs, attestations. From the upstream's referrers
 * API, or where it has none from the tag that stands in for it (distribution specification,
 * "Unavailable Referrers API"). Believed for as long as that tag would be; offline by the
 * configuration, what is on record is all there is.
 */
export class ReferrerListService {
  readonly #catalog: Catalog;
  readonly #manifests: ManifestService;
  readonly #signal: AbortSignal;
  readonly #running = new SingleFlight<readonly Descriptor[]>();

  constructor(catalog: Catalog, manifests: ManifestService, signal: AbortSignal) {
    this.#catalog = catalog;
    this.#manifests = manifests;
    this.#signal = signal;
  }

  /** @throws RegistryError the upstream's failure, where nothing is cached; an unknown subject has no referrers */
  async list(route: ProxiedRoute, subject: Digest): Promise<ReferrersAnswer> {
    const key = `referrers-${subject.replace(':', '-')}`;
    const known = readListing(await this.#catalog.listing(route.key, key));
    if (route.remote.offline === true) {
      return { manifests: known?.value ?? (await this.#byTag(route, subject)), outcome: hit };
    }
    const ttl = route.remote.policy.tagTtl(referrersTag(subject));
    if (known !== undefined && freshFor(known.fetchedAt, ttl, Date.now()) > 0) {
      return { manifests: known.value, outcome: hit };
    }
    if (known === undefined && (await this.#catalog.absent(route.key, key))) {
      return { manifests: [], outcome: hit };
    }
    const started = performance.now();
    try {
      const manifests = await this.#running.run(`${route.key}@${subject}`, () =>
        this.#fetch(route, subject, key, known !== undefined),
      );
      return { manifests, outcome: { kind: 'miss', upstreamMs: performance.now() - started } };
    } catch (error) {
      if (known === undefined || !isUpstreamFailure(error)) throw error;
      const upstreamMs = performance.now() - started;
      return { manifests: known.value, outcome: { kind: 'stale', upstreamMs } };
    }
  }

  async #fetch(
    route: ProxiedRoute,
    subject: Digest,
    key: string,
    isOnRecord: boolean,
  ): Promise<readonly Descriptor[]> {
    const { upstream } = route.remote;
    const listed = await upstream.listReferrers(route.repository, subject, this.#signal);
    const value = listed ?? (await this.#byTag(route, subject));
    if (value.length === 0 && !isOnRecord) {
      // Clients may ask for the referrers of anything: "none" is not worth a file.
      await this.#catalog.putAbsent(
        route.key,
        key,
        route.remote.policy.tagTtl(referrersTag(subject)),
      );
      return value;
    }
    // What cannot be kept is asked for again.
    await Promise.all([
      this.#catalog.link(route.key, 'manifests', claims(value)),
      this.#catalog.putListing(route.key, key, { value, fetchedAt: Date.now() }),
    ]).catch(() => undefined);
    return value;
  }

  async #byTag(route: ProxiedRoute, subject: Digest): Promise<readonly Descriptor[]> {
    try {
      const { bytes, mediaType } = await this.#manifests.get(route, referrersTag(subject));
      if (!isIndexType(mediaType)) return [];
      const { manifests, blobs } = parseManifest(bytes, mediaType);
      return [...manifests, ...blobs];
    } catch (error) {
      if (isRegistryError(error, 'MANIFEST_UNKNOWN', 'UPSTREAM_OFFLINE')) return [];
      throw error;
    }
  }
}

function readListing(listing: Listing | undefined): Listing<Descriptor[]> | undefined {
  if (listing === undefined || !Array.isArray(listing.value)) return undefined;
  return { value: listing.value.filter(isDescriptor), fetchedAt: listing.fetchedAt };
}
