import type { Catalog, Member, TagRecord } from '../catalog/catalog.ts';
import { SingleFlight } from '../lib/single-flight.ts';
import { digestOf, splitDigest, type Digest } from '../oci/digest.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isDigestReference, type Reference, type Tag } from '../oci/reference.ts';
import type { FetchedManifest } from '../upstream/upstream.ts';
import { blobClaims, claims } from './claims.ts';
import type { ManifestCache, StoredManifest } from './manifest-cache.ts';
import type { ProxiedRoute } from './resolve-route.ts';

/** Told of what was kept, and of what could not be. */
export interface FetchObserver {
  /** A manifest is in a repository that it was not in before, as far as is known here. */
  cached(route: ProxiedRoute, reference: Reference, manifest: StoredManifest): void;
  /** It is fetched again next time. */
  notStored(route: ProxiedRoute, reference: Reference, error: unknown): void;
}

export interface ManifestFetcherOptions {
  readonly catalog: Catalog;
  readonly cache: ManifestCache;
  readonly observer: FetchObserver;
  readonly signal: AbortSignal;
}

export interface FetchResult {
  readonly manifest: StoredManifest;
  /** Whether it is on disk and on record now. */
  readonly stored: boolean;
}

/** Fetches manifests from upstreams, one request for all who ask at a time, and keeps them. */
export class ManifestFetcher {
  readonly #options: ManifestFetcherOptions;
  readonly #running = new SingleFlight<FetchResult>();

  constructor(options: ManifestFetcherOptions) {
    this.#options = options;
  }

  /**
   * Fetches a manifest; a tag is recorded with it.
   * @param tag what it was asked for by, where it is fetched by the digest of a tag
   * @throws RegistryError as the upstream's fetchManifest, or UPSTREAM_INVALID for what is no
   *   manifest or has another digest
   */
  async fetch(
    route: ProxiedRoute,
    reference: Reference,
    tag?: Tag,
  ): Promise<FetchResult & { joined: boolean }> {
    const key = `${route.key}@${reference}`;
    const joined = this.#running.has(key);
    const result = await this.#running.run(key, () => this.#fetch(route, reference, tag));
    return { ...result, joined };
  }

  /** Records that a tag names this digest as of now. */
  async putTag(
    route: ProxiedRoute,
    tag: Tag,
    { digest, mediaType, size }: Pick<TagRecord, 'digest' | 'mediaType' | 'size'>,
  ): Promise<TagRecord> {
    const record = { digest, mediaType, size, checkedAt: Date.now() };
    await this.#keep(route, tag, () => this.#options.catalog.putTag(route.key, tag, record));
    return record;
  }

  /** Records that a manifest belongs to a repository, as its upstream has said. */
  async link(route: ProxiedRoute, member: Member): Promise<void> {
    const { catalog } = this.#options;
    await this.#keep(route, member.digest, () => catalog.link(route.key, 'manifests', [member]));
  }

  /** Forgets a tag that the upstream no longer has. */
  async deleteTag(route: ProxiedRoute, tag: Tag): Promise<void> {
    await this.#keep(route, tag, () => this.#options.catalog.deleteTag(route.key, tag));
  }

  async #fetch(
    route: ProxiedRoute,
    reference: Reference,
    tag: Tag | undefined,
  ): Promise<FetchResult> {
    const { upstream } = route.remote;
    const { signal } = this.#options;
    const fetched = await upstream.fetchManifest(route.repository, reference, signal);
    const digest = verifiedDigest(fetched, reference);
    const parsed = parse(fetched);
    const { mediaType } = parsed;
    const manifest = { digest, mediaType, bytes: fetched.bytes };
    // What is known is recorded before the answer goes out: the client's next request is for a
    // child or a blob, and has to find that it belongs here.
    let isNew = false;
    const stored = await this.#keep(route, reference, async () => {
      const { catalog, cache } = this.#options;
      const known = await catalog.linked(route.key, 'manifests', digest);
      isNew = known === undefined || known.claimed === true;
      await Promise.all([
        cache.put(manifest),
        catalog.link(route.key, 'manifests', [
          { digest, mediaType, size: fetched.bytes.length },
          ...claims(parsed.manifests),
        ]),
        catalog.link(route.key, 'blobs', blobClaims(parsed.blobs)),
      ]);
    });
    if (!isDigestReference(reference)) {
      await this.putTag(route, reference, { digest, mediaType, size: fetched.bytes.length });
    }
    if (stored && isNew) this.#options.observer.cached(route, tag ?? reference, manifest);
    return { manifest, stored };
  }

  /** A disk that refuses costs the next request a fetch, never this one its answer. */
  async #keep(
    route: ProxiedRoute,
    reference: Reference,
    work: () => Promise<void>,
  ): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.#options.observer.notStored(route, reference, error);
      return false;
    }
  }
}

/** The digest of the bytes, which must be the one asked for and the one the registry claims. */
function verifiedDigest({ bytes, digest: claimed }: FetchedManifest, reference: Reference): Digest {
  const wanted = isDigestReference(reference) ? reference : claimed;
  const actual = digestOf(bytes, wanted && splitDigest(wanted).algorithm);
  if (wanted === undefined || actual === wanted) return actual;
  throw new RegistryError('UPSTREAM_INVALID', 'the upstream sent a manifest of another digest', {
    detail: { expected: wanted, received: actual },
  });
}

function parse({ bytes, contentType }: FetchedManifest): ReturnType<typeof parseManifest> {
  try {
    return parseManifest(bytes, contentType);
  } catch (error) {
    if (!isRegistryError(error, 'MANIFEST_INVALID')) throw error;
    throw new RegistryError('UPSTREAM_INVALID', `no manifest came: ${error.message}`, {
      cause: error,
    });
  }
}
