import type { Catalog, Member } from '../catalog/catalog.ts';
import type { Digest } from '../oci/digest.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import type { BlobReader } from '../store/blob-reader.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { isCredentialFault } from '../upstream/fault.ts';
import { noteAbsence, refuseIfAbsent } from './absence.ts';
import type { BlobHealth } from './blob-health.ts';
import type { Download } from './download.ts';
import type { Downloads } from './downloads.ts';
import { cannotBeAsked } from './freshness.ts';
import { withheld } from './growing-blob.ts';
import type { DownloadPace } from './hold-back.ts';
import { hit, type Outcome } from './outcome.ts';
import type { ProxiedRoute } from './resolve-route.ts';
import { StoredBlobs } from './stored-blobs.ts';

/** A blob that can be read, perhaps while it still arrives. Close the reader. */
export interface BlobAnswer {
  readonly reader: BlobReader;
  readonly outcome: Outcome;
  /** Where it still arrives, what brings it. */
  readonly download?: Download;
}

/** What a HEAD tells of a blob. */
export interface BlobFacts {
  /** Bytes; absent where nobody ever told. */
  readonly size: number | undefined;
  readonly outcome: Outcome;
}

/** Told of what could not be kept, so that it has to be asked for again. */
export interface BlobObserver {
  notStored(route: ProxiedRoute, reference: Digest, error: unknown): void;
}

export interface BlobServiceOptions {
  readonly catalog: Catalog;
  readonly store: BlobStore;
  readonly downloads: Downloads;
  readonly health: BlobHealth;
  readonly observer: BlobObserver;
  /** Ends all questions to upstreams, at shutdown. Not a client's: many may wait for one answer. */
  readonly signal: AbortSignal;
}

/** The media type of a blob that no manifest has described yet. */
const unknownType = 'application/octet-stream';

/**
 * Serves blobs: from the store, from a running download, or from the upstream.
 *
 * A digest is not a permission. A blob that came through one repository is served under another
 * only once that one's own upstream has said that it belongs there too; while it cannot be asked,
 * the word of that one's own manifests stands in.
 */
export class BlobService {
  readonly #options: BlobServiceOptions;
  readonly #stored: StoredBlobs;

  constructor(options: BlobServiceOptions) {
    this.#options = options;
    this.#stored = new StoredBlobs(options);
  }

  /**
   * Opens a blob of a repository.
   * @param pace of who has time: it holds back a download that is started for it, until others join
   * @throws RegistryError BLOB_UNKNOWN, or the upstream's failure
   */
  async open(route: ProxiedRoute, digest: Digest, pace?: DownloadPace): Promise<BlobAnswer> {
    const { catalog, downloads } = this.#options;
    let member = standing(route, await catalog.linked(route.key, 'blobs', digest));
    if (member === undefined) await refuseIfAbsent(catalog, route, `blobs/${digest}`);
    const started = performance.now();
    let confirmed = false;
    for (;;) {
      const running = downloads.running(digest);
      const ended = downloads.ended;
      const stored =
        running === undefined ? await this.#stored.open(route, digest, member) : undefined;
      const isPermitted = member !== undefined && !member.claimed;
      if (stored !== undefined && isPermitted) {
        return { reader: stored, outcome: confirmed ? since(started, 'revalidated') : hit };
      }
      stored?.close();
      const isForeign = running !== undefined && !isSourceOf(running, route);
      if (!isPermitted && (stored !== undefined || isForeign)) {
        member = await this.#confirm(route, digest, member);
        confirmed = true;
        continue;
      }
      if (running?.isCancelled === true) {
        await running.ended;
        continue;
      }
      if (running !== undefined) {
        if (pace === undefined) running.hurry();
        const reader = await this.#follow(running, route, digest);
        if (reader !== undefined) {
          return { reader, outcome: since(started, 'collapsed'), download: running };
        }
        continue;
      }
      // While the store was looked into, another request may have started or finished it.
      if (downloads.running(digest) !== undefined || downloads.ended !== ended) continue;
      if (route.remote.offline === true) throw new RegistryError('UPSTREAM_OFFLINE');
      const download = downloads.start(digest, {
        upstream: route.remote.upstream,
        repository: route.repository,
        patience: route.remote.policy.resumePatience,
        accepted: async (size) => void (await this.#link(route, digest, size)),
        pace,
      });
      const reader = await this.#follow(download, route, digest);
      if (reader !== undefined) return { reader, outcome: since(started, 'miss'), download };
    }
  }

  /**
   * What HEAD answers. Starts no download.
   * @throws RegistryError BLOB_UNKNOWN, or the upstream's failure
   */
  async stat(route: ProxiedRoute, digest: Digest): Promise<BlobFacts> {
    const { catalog, downloads } = this.#options;
    const running = downloads.running(digest);
    const arriving = running?.blob.size;
    if (arriving !== undefined && isSourceOf(running!, route)) {
      return { size: arriving, outcome: { kind: 'collapsed' } };
    }
    const member = standing(route, await catalog.linked(route.key, 'blobs', digest));
    if (member === undefined) await refuseIfAbsent(catalog, route, `blobs/${digest}`);
    const held = member === undefined ? undefined : await this.#stored.size(route, digest, member);
    const isHeld = held !== undefined;
    if (member !== undefined && !member.claimed) {
      if (isHeld) return { size: held, outcome: hit };
      if (arriving !== undefined) return { size: arriving, outcome: { kind: 'collapsed' } };
    }
    const started = performance.now();
    if (isHeld) {
      // A claim stands in for the upstream only where a GET could then be answered.
      const confirmed = await this.#confirm(route, digest, member);
      // Now that it may be served, its size has to show that it is whole.
      const whole = await this.#stored.size(route, digest, confirmed);
      if (whole !== undefined) return { size: whole, outcome: since(started, 'revalidated') };
    }
    const { size } = await this.#confirm(route, digest, undefined);
    const outcome: Outcome = { ...since(started, 'miss'), stored: false };
    return { size: size ?? member?.size, outcome };
  }

  /** Hears that an answer broke since its content failed. */
  contentFailed(_route: ProxiedRoute, digest: Digest, reader: BlobReader, error: Error): void {
    this.#stored.contentFailed(digest, reader, error);
  }

  /**
   * Reads along with a download, from the moment at which it can be answered. Undefined where it
   * failed for reasons of the other repository that it was started for.
   */
  async #follow(
    download: Download,
    route: ProxiedRoute,
    digest: Digest,
  ): Promise<BlobReader | undefined> {
    // Taken before the first wait: it keeps the spool open.
    const reader = download.blob.reader();
    try {
      await download.ready;
      // A small blob is withheld as a whole; its failure can still get an honest status.
      const { size } = download.blob;
      if (size !== undefined && size <= withheld) await reader.arrival(0);
      return reader;
    } catch (error) {
      reader.close();
      if (!isSourceOf(download, route)) return undefined;
      throw await this.#explain(route, digest, error);
    }
  }

  /**
   * Asks the repository's upstream whether it holds the blob, and remembers that it does.
   * @param claim what stands in while the upstream cannot be asked
   */
  async #confirm(route: ProxiedRoute, digest: Digest, claim: Member | undefined): Promise<Member> {
    try {
      const { upstream } = route.remote;
      const { size } = await upstream.statBlob(route.repository, digest, this.#options.signal);
      return await this.#link(route, digest, size);
    } catch (error) {
      if (claim !== undefined && cannotBeAsked(error)) return unclaimed(claim);
      throw await this.#explain(route, digest, error);
    }
  }

  async #link(route: ProxiedRoute, digest: Digest, size: number | undefined): Promise<Member> {
    const { catalog } = this.#options;
    const known = await catalog.linked(route.key, 'blobs', digest);
    const mediaType = known?.mediaType ?? unknownType;
    const member = { digest, mediaType, size: size ?? known?.size };
    try {
      await catalog.link(route.key, 'blobs', [member]);
    } catch (error) {
      this.#options.observer.notStored(route, digest, error);
    }
    return member;
  }

  /**
   * An upstream that hides what is private behind 401 or 403 means, for a blob, that it is not there
   * for us. Where our own credential cannot be had it has said nothing.
   */
  async #explain(route: ProxiedRoute, digest: Digest, error: unknown): Promise<unknown> {
    await noteAbsence(this.#options.catalog, route, `blobs/${digest}`, error);
    if (!isRegistryError(error, 'UPSTREAM_DENIED') || isCredentialFault(error)) return error;
    const { upstreamStatus } = error;
    return new RegistryError('BLOB_UNKNOWN', error.message, {
      cause: error,
      ...(upstreamStatus === undefined ? {} : { upstreamStatus }),
    });
  }
}

/** While nobody can be asked, by the configuration, a claim is as good as the upstream's own word. */
function standing({ remote }: ProxiedRoute, member: Member | undefined): Member | undefined {
  return remote.offline === true && member?.claimed === true ? unclaimed(member) : member;
}

function unclaimed({ digest, mediaType, size }: Member): Member {
  return { digest, mediaType, size };
}

/** Whether a download was started through this route's own repository. */
function isSourceOf({ source }: Download, route: ProxiedRoute): boolean {
  return source.upstream === route.remote.upstream && source.repository === route.repository;
}

function since(started: number, kind: Outcome['kind']): Outcome {
  return { kind, upstreamMs: performance.now() - started };
}
