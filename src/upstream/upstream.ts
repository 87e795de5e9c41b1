import type { Readable } from 'node:stream';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference } from '../oci/reference.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import type { Thrift } from './thrift.ts';
import type { UpstreamStatus } from './upstream-status.ts';

/** What a HEAD on a manifest tells. */
export interface ResolvedManifest {
  /** Absent where the registry sends no `Docker-Content-Digest`. */
  readonly digest: Digest | undefined;
  readonly mediaType: string;
  /** Bytes; absent where the registry sends no Content-Length. */
  readonly size: number | undefined;
}

/** A manifest as it came: unparsed, unverified beyond its size. */
export interface FetchedManifest {
  readonly bytes: Buffer;
  readonly contentType: string | undefined;
  /** What the registry claims in `Docker-Content-Digest`; to be checked against the bytes. */
  readonly digest: Digest | undefined;
}

/** Where to go on with a blob of which the first `offset` bytes are there already. */
export interface ResumePoint {
  /** Bytes at hand; the next byte wanted. */
  readonly offset: number;
  /** Strong validator of the earlier answer, sent as `If-Range`. */
  readonly etag?: string | undefined;
}

/** The beginning of a blob's transfer: headers are in, the body flows as it is read. */
export interface FetchedBlob {
  /** Bytes of the whole blob; absent where the registry does not say. */
  readonly size: number | undefined;
  /** Offset of the body's first byte: the resume point, or 0 where the range was ignored. */
  readonly offset: number;
  /** Strong validator, where there is one. */
  readonly etag: string | undefined;
  /**
   * Never decoded. Ends early with an error where the connection breaks or stays idle past the
   * deadline. The caller consumes or destroys it.
   */
  readonly body: Readable;
}

/**
 * A remote registry that is pulled from. Authentication, redirects, deadlines and the order of
 * several URLs are its own business.
 *
 * Every call fails with a RegistryError: MANIFEST_UNKNOWN, BLOB_UNKNOWN or NAME_UNKNOWN (404),
 * UPSTREAM_DENIED (401, 403), TOOMANYREQUESTS (429, with `retryAfter`), UPSTREAM_TIMEOUT (a
 * deadline), UPSTREAM_UNAVAILABLE (5xx, DNS, refused, reset, TLS), UPSTREAM_INVALID (an answer
 * that cannot be right), UPSTREAM_OFFLINE (configured so). Or with the signal's reason.
 */
export interface Upstream {
  /** The name in the configuration, such as `docker.io`. */
  readonly name: string;
  /** How long checks of tags are put off to spare the quota, in milliseconds since the epoch. Read for each of them. */
  readonly thrift: Thrift;
  /** How it stands, for the operator. */
  status(): UpstreamStatus;
  /** `HEAD manifests/<reference>`: free of Docker Hub's quota. */
  resolve(
    repository: RepositoryName,
    reference: Reference,
    signal: AbortSignal,
  ): Promise<ResolvedManifest>;
  /** `GET manifests/<reference>` with the full Accept set; the body capped at maxManifestSize. */
  fetchManifest(
    repository: RepositoryName,
    reference: Reference,
    signal: AbortSignal,
  ): Promise<FetchedManifest>;
  /** Whether the repository holds the blob, and its size: HEAD, or a one-byte GET where HEAD is refused. */
  statBlob(
    repository: RepositoryName,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<{ size: number | undefined }>;
  /** `GET blobs/<digest>`, from the resume point where one is given. */
  fetchBlob(
    repository: RepositoryName,
    digest: Digest,
    resume: ResumePoint | undefined,
    signal: AbortSignal,
  ): Promise<FetchedBlob>;
  /** All tags, every page followed (capped), in the order the registry gave. */
  listTags(repository: RepositoryName, signal: AbortSignal): Promise<string[]>;
  /** The referrers API without a filter, every page followed; undefined where the registry lacks the API. */
  listReferrers(
    repository: RepositoryName,
    subject: Digest,
    signal: AbortSignal,
  ): Promise<Descriptor[] | undefined>;
  /** `GET /v2/`: whether the registry answers at all. */
  ping(signal: AbortSignal): Promise<void>;
  /** Closes idle connections; running transfers end with an error. */
  close(): Promise<void>;
}
