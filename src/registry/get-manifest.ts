import type { Catalog, TagRecord } from '../catalog/catalog.ts';
import { SingleFlight } from '../lib/single-flight.ts';
import type { Digest } from '../oci/digest.ts';
import { isRegistryError, RegistryError, toRegistryError } from '../oci/errors.ts';
import { isDigestReference, type Reference, type Tag } from '../oci/reference.ts';
import { noteAbsence, refuseIfAbsent } from './absence.ts';
import { CheckPatience } from './check-patience.ts';
import { cannotBeAsked, freshFor, onFailedCheck, sparedFor } from './freshness.ts';
import type { ManifestCache, StoredManifest } from './manifest-cache.ts';
import { hit, type Outcome } from './outcome.ts';
import type { ProxiedRoute } from './resolve-route.ts';
import type { ManifestFetcher } from './fetch-manifest.ts';

/** A manifest to be answered, whole. */
export interface ManifestAnswer extends StoredManifest {
  readonly outcome: Outcome;
}

/** Told of what an operator should hear about. */
export interface ManifestObserver {
  /** A tag is served although its upstream failed. */
  servedStale(route: ProxiedRoute, tag: Tag, error: RegistryError): void;
}

export interface ManifestServiceOptions {
  readonly catalog: Catalog;
  readonly cache: ManifestCache;
  readonly fetcher: ManifestFetcher;
  readonly observer: ManifestObserver;
  /** Ends all questions to upstreams, at shutdown. Not a client's: many may wait for one answer. */
  readonly signal: AbortSignal;
}

/** How a tag's check went. */
type Check =
  | { readonly kind: 'revalidated' | 'miss'; readonly record: TagRecord }
  | { readonly kind: 'failed'; readonly error: RegistryError };

/** Serves manifests, by digest and by tag. HEAD and GET are the same here: both fill the cache. */
export class ManifestService {
  readonly #options: ManifestServiceOptions;
  readonly #checks = new SingleFlight<Check>();
  readonly #patience = new CheckPatience();

  constructor(options: ManifestServiceOptions) {
    this.#options = options;
  }

  /**
   * Finds a manifest of a repository.
   * @throws RegistryError MANIFEST_UNKNOWN, or the upstream's failure
   */
  get(route: ProxiedRoute, reference: Reference): Promise<ManifestAnswer> {
    return isDigestReference(reference)
      ? this.#byDigest(route, reference)
      : this.#byTag(route, reference);
  }

  /** A cached digest needs no upstream, ever. */
  async #byDigest(route: ProxiedRoute, digest: Digest): Promise<ManifestAnswer> {
    const { catalog, cache, fetcher } = this.#options;
    const member = await catalog.linked(route.key, 'manifests', digest);
    if (member !== undefined) {
      const stored = await cache.get(digest, member.mediaType);
      if (stored !== undefined) {
        return member.claimed ? this.#confirmed(route, stored) : answer(stored, hit);
      }
    }
    await refuseIfAbsent(catalog, route, `manifests/${digest}`);
    // Also where it is stored already, but through another repository: this one's upstream has
    // to give it out itself.
    return this.#fetch(route, digest, () => fetcher.fetch(route, digest));
  }

  /**
   * What is stored because of another repository, and an index of this one names it too. A digest
   * is not a permission: the upstream has the word, and the index stands in while it has none.
   */
  async #confirmed(route: ProxiedRoute, stored: StoredManifest): Promise<ManifestAnswer> {
    const { catalog, fetcher, signal } = this.#options;
    const { digest, mediaType, bytes } = stored;
    const started = performance.now();
    try {
      await route.remote.upstream.resolve(route.repository, digest, signal);
    } catch (error) {
      if (cannotBeAsked(error)) return answer(stored, hit);
      await noteAbsence(catalog, route, `manifests/${digest}`, error);
      throw error;
    }
    await fetcher.link(route, { digest, mediaType, size: bytes.length });
    return answer(stored, { kind: 'revalidated', upstreamMs: performance.now() - started });
  }

  async #byTag(route: ProxiedRoute, tag: Tag): Promise<ManifestAnswer> {
    const { catalog, fetcher } = this.#options;
    const record = await catalog.tag(route.key, tag);
    const { policy } = route.remote;
    if (record !== undefined) {
      const ttl = policy.tagTtl(tag);
      const now = Date.now();
      const fresh = freshFor(record.checkedAt, ttl, now);
      if (fresh > 0) {
        return this.#ofRecord(route, tag, record, { kind: 'hit', ttl: Math.ceil(fresh / 1000) });
      }
      // A hit as well: by the configuration it is good for longer while quota is short.
      const { thrift } = route.remote.upstream;
      const spared = sparedFor(record.checkedAt, ttl, thrift, policy.staleIfError, now);
      if (spared > 0) {
        return this.#ofRecord(route, tag, record, { kind: 'hit', ttl: Math.ceil(spared / 1000) });
      }
      if (route.remote.offline === true) {
        return this.#ofRecord(route, tag, record, unasked(record, fresh, now));
      }
      const checked = await this.#checked(route, tag, record);
      if (checked !== undefined) return checked;
    }
    await refuseIfAbsent(catalog, route, `manifests/${tag}`);
    return this.#fetch(route, tag, () => fetcher.fetch(route, tag));
  }

  /** Answers a tag that has to be checked; undefined where it is gone and has to be asked for anew. */
  async #checked(
    route: ProxiedRoute,
    tag: Tag,
    record: TagRecord,
  ): Promise<ManifestAnswer | undefined> {
    const { policy } = route.remote;
    const started = performance.now();
    const running = this.#checks.run(`${route.key}:${tag}`, () => this.#check(route, tag, record));
    const late = new RegistryError('UPSTREAM_TIMEOUT');
    const mayBeStale = onFailedCheck(record, late, policy, Date.now()) === 'serve';
    // Where nothing stale may stand in, a slow answer is better than none.
    const check = mayBeStale
      ? await this.#patience.wait(route.remote.upstream, running, policy.revalidateBudget)
      : await running;
    const upstreamMs = performance.now() - started;
    if (check !== undefined && check.kind !== 'failed') {
      const ttl = Math.ceil(policy.tagTtl(tag) / 1000);
      return this.#ofRecord(route, tag, check.record, { kind: check.kind, ttl, upstreamMs });
    }
    const now = Date.now();
    const error = check?.error ?? late;
    switch (onFailedCheck(record, error, policy, now)) {
      case 'forget':
        await this.#options.fetcher.deleteTag(route, tag);
        await noteAbsence(this.#options.catalog, route, `manifests/${tag}`, error);
        return undefined;
      case 'fail':
        throw error;
      case 'serve':
        this.#options.observer.servedStale(route, tag, error);
        return this.#ofRecord(route, tag, record, {
          kind: 'stale',
          age: Math.max(0, Math.floor((now - record.checkedAt) / 1000)),
          ttl: Math.floor(freshFor(record.checkedAt, policy.tagTtl(tag), now) / 1000),
          fwdStatus: error.upstreamStatus,
          detail: error.code,
          upstreamMs,
        });
    }
  }

  /**
   * One HEAD: free of Docker Hub's quota, which a conditional GET is not. Where the tag has moved
   * the new manifest is fetched by its digest, so that a tag moving again in between does no harm.
   */
  async #check(route: ProxiedRoute, tag: Tag, record: TagRecord): Promise<Check> {
    const { fetcher, signal } = this.#options;
    try {
      const { upstream } = route.remote;
      const { digest } = await upstream.resolve(route.repository, tag, signal);
      this.#patience.answered(upstream);
      if (digest === record.digest) {
        return { kind: 'revalidated', record: await fetcher.putTag(route, tag, record) };
      }
      // A registry that sends no digest with a HEAD has to be asked for the manifest itself.
      const { manifest } = await this.#fetchNamed(route, tag, digest);
      const { mediaType, bytes } = manifest;
      const moved = { digest: manifest.digest, mediaType, size: bytes.length };
      const kind = manifest.digest === record.digest ? 'revalidated' : 'miss';
      return { kind, record: await fetcher.putTag(route, tag, moved) };
    } catch (error) {
      return { kind: 'failed', error: toRegistryError(error) };
    }
  }

  /** Only the tag's own 404 means that it is gone: the digest may have been replaced meanwhile. */
  async #fetchNamed(
    route: ProxiedRoute,
    tag: Tag,
    digest: Digest | undefined,
  ): ReturnType<ManifestFetcher['fetch']> {
    const { fetcher } = this.#options;
    if (digest === undefined) return fetcher.fetch(route, tag);
    try {
      return await fetcher.fetch(route, digest, tag);
    } catch (error) {
      if (!isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN')) throw error;
      return fetcher.fetch(route, tag);
    }
  }

  /** The manifest that a tag's record names; fetched again where it is no longer stored. */
  async #ofRecord(
    route: ProxiedRoute,
    tag: Tag,
    record: TagRecord,
    outcome: Outcome,
  ): Promise<ManifestAnswer> {
    const { digest, mediaType } = record;
    // Without an await where the bytes are in memory: this is the hottest path there is.
    const cached = this.#options.cache.peek(digest, mediaType);
    if (cached !== undefined) return answer(cached, outcome);
    const stored = await this.#options.cache.get(digest, mediaType);
    if (stored !== undefined) return answer(stored, outcome);
    return this.#fetch(route, digest, () => this.#fetchNamed(route, tag, digest));
  }

  async #fetch(
    route: ProxiedRoute,
    reference: Reference,
    fetch: () => ReturnType<ManifestFetcher['fetch']>,
  ): Promise<ManifestAnswer> {
    const started = performance.now();
    try {
      const { manifest, joined, stored } = await fetch();
      const ttl = isDigestReference(reference) ? undefined : route.remote.policy.tagTtl(reference);
      return answer(manifest, {
        kind: joined ? 'collapsed' : 'miss',
        stored,
        upstreamMs: performance.now() - started,
        ...(ttl === undefined ? {} : { ttl: Math.ceil(ttl / 1000) }),
      });
    } catch (error) {
      await noteAbsence(this.#options.catalog, route, `manifests/${reference}`, error);
      if (isRegistryError(error, 'NAME_UNKNOWN')) {
        throw new RegistryError('MANIFEST_UNKNOWN', error.message, { cause: error });
      }
      throw error;
    }
  }
}

/** A tag whose upstream is offline by the configuration is what it is on record: no failure, but old. */
function unasked({ checkedAt }: TagRecord, fresh: number, now: number): Outcome {
  const age = Math.max(0, Math.floor((now - checkedAt) / 1000));
  return { kind: 'hit', age, ttl: Math.floor(fresh / 1000), detail: 'OFFLINE' };
}

function answer({ bytes, mediaType, digest }: StoredManifest, outcome: Outcome): ManifestAnswer {
  return { bytes, mediaType, digest, outcome };
}
