import type { Catalog, Listing } from '../catalog/catalog.ts';
import { SingleFlight } from '../lib/single-flight.ts';
import { RegistryError } from '../oci/errors.ts';
import { isTag, type Tag } from '../oci/reference.ts';
import { freshFor, isUpstreamFailure } from './freshness.ts';
import { hit, type Outcome } from './outcome.ts';
import type { ProxiedRoute } from './resolve-route.ts';

/** A tag list, complete and in ASCII order; pages are cut from it. */
export interface TagsAnswer {
  readonly tags: readonly string[];
  readonly outcome: Outcome;
}

/** The catalog's key of a repository's tag list. */
const listingKey = 'tags';

/**
 * Lists the tags of a repository: what its upstream says, believed for as long as a tag is; with
 * the upstream down, what it said last together with every tag on record. Offline by the
 * configuration, those on record alone: what can be pulled is what is here.
 */
export class TagListService {
  readonly #catalog: Catalog;
  readonly #signal: AbortSignal;
  readonly #running = new SingleFlight<Listing<readonly string[]>>();

  constructor(catalog: Catalog, signal: AbortSignal) {
    this.#catalog = catalog;
    this.#signal = signal;
  }

  /** @throws RegistryError NAME_UNKNOWN, or the upstream's failure where nothing is cached */
  async list(route: ProxiedRoute): Promise<TagsAnswer> {
    if (route.remote.offline === true) return this.#onRecord(route);
    const known = readListing(await this.#catalog.listing(route.key, listingKey));
    const ttl = route.remote.policy.tagTtl('latest' as Tag);
    if (known !== undefined && freshFor(known.fetchedAt, ttl, Date.now()) > 0) {
      return { tags: known.value, outcome: hit };
    }
    const started = performance.now();
    try {
      const { value } = await this.#running.run(route.key, () => this.#fetch(route));
      return { tags: value, outcome: { kind: 'miss', upstreamMs: performance.now() - started } };
    } catch (error) {
      if (!isUpstreamFailure(error)) throw error;
      const onRecord = await this.#catalog.tags(route.key);
      if (known === undefined && onRecord.length === 0) throw error;
      const tags = sorted([...(known?.value ?? []), ...onRecord]);
      return { tags, outcome: { kind: 'stale', upstreamMs: performance.now() - started } };
    }
  }

  async #onRecord({ key, remote }: ProxiedRoute): Promise<TagsAnswer> {
    const tags = await this.#catalog.tags(key);
    if (tags.length > 0) return { tags, outcome: hit };
    const message = `no tag of ${key} is here, and ${remote.name} is configured offline`;
    throw new RegistryError('UPSTREAM_OFFLINE', message, { toldAs: 'NAME_UNKNOWN' });
  }

  async #fetch(route: ProxiedRoute): Promise<Listing<readonly string[]>> {
    const { upstream } = route.remote;
    const value = sorted(await upstream.listTags(route.repository, this.#signal));
    const listing = { value, fetchedAt: Date.now() };
    // A list that cannot be kept is fetched again; it is no reason to fail.
    await this.#catalog.putListing(route.key, listingKey, listing).catch(() => undefined);
    return listing;
  }
}

/** ASCII order (distribution specification, "Listing Tags"), each tag once; what is no tag is left out. */
function sorted(tags: readonly string[]): string[] {
  return [...new Set(tags.filter(isTag))].toSorted((a, b) => (a < b ? -1 : 1));
}

function readListing(listing: Listing | undefined): Listing<string[]> | undefined {
  if (listing === undefined || !Array.isArray(listing.value)) return undefined;
  return { value: sorted(listing.value.map(String)), fetchedAt: listing.fetchedAt };
}
