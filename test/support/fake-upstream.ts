import { Readable } from 'node:stream';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf, isDigest, type Digest } from '../../src/oci/digest.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { noThrift, type Thrift } from '../../src/upstream/thrift.ts';
import type { UpstreamStatus } from '../../src/upstream/upstream-status.ts';
import type {
  FetchedBlob,
  FetchedManifest,
  ResolvedManifest,
  ResumePoint,
  Upstream,
} from '../../src/upstream/upstream.ts';

/** How one transfer of a blob is played. */
export interface Play {
  /** Bytes after which the connection breaks. */
  readonly cutAfter?: number;
  /** Throws instead of answering. */
  readonly fails?: RegistryError;
  /** Answers a resume with the whole. */
  readonly ignoresRange?: boolean;
  /** Leaves the size out. */
  readonly hidesSize?: boolean;
  /** Waits for this before the body ends. */
  readonly until?: Promise<void>;
  /** Sends these bytes instead. */
  readonly bytes?: Buffer;
}

/** An upstream in memory that does as it is told, and counts. */
export class FakeUpstream implements Upstream {
  readonly name: string;
  /** By `<repository>@<digest>`. */
  readonly blobs = new Map<string, Buffer>();
  /** By `<repository>:<tag>` and `<repository>@<digest>`. */
  readonly manifests = new Map<string, { bytes: Buffer; mediaType: string }>();
  readonly tags = new Map<string, string[]>();
  referrers: Descriptor[] | undefined;
  /** `<call> <repository> <reference>`, in order. */
  readonly calls: string[] = [];
  /** Plays for coming blob transfers; then plain ones. */
  readonly plays: Play[] = [];
  /** Thrown by every call while it is set. */
  failure: RegistryError | undefined;
  /** Thrown by every transfer that does not start at the first byte. */
  rangeFailure: RegistryError | undefined;
  /** Awaited by every call. */
  gate: Promise<void> | undefined;
  sendsDigest = true;
  thrift: Thrift = noThrift;

  constructor(name = 'docker.io') {
    this.name = name;
  }

  addBlob(repository: string, bytes: Buffer): Digest {
    const digest = digestOf(bytes);
    this.blobs.set(`${repository}@${digest}`, bytes);
    return digest;
  }

  addManifest(
    repository: string,
    tag: string,
    document: object,
  ): { digest: Digest; bytes: Buffer } {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...document }));
    const digest = digestOf(bytes);
    const { mediaType } = document as { mediaType: string };
    this.manifests.set(`${repository}@${digest}`, { bytes, mediaType });
    this.manifests.set(`${repository}:${tag}`, { bytes, mediaType });
    return { digest, bytes };
  }

  status(): UpstreamStatus {
    return { name: this.name, offline: false, revalidation: 'normal', urls: [], redirects: [] };
  }

  count(call: string): number {
    return this.calls.filter((each) => each.startsWith(`${call} `)).length;
  }

  async resolve(repository: string, reference: string): Promise<ResolvedManifest> {
    const { bytes, mediaType } = await this.#manifest('resolve', repository, reference);
    const digest = this.sendsDigest ? digestOf(bytes) : undefined;
    return { digest, mediaType, size: bytes.length };
  }

  async fetchManifest(repository: string, reference: string): Promise<FetchedManifest> {
    const { bytes, mediaType } = await this.#manifest('fetchManifest', repository, reference);
    return {
      bytes,
      contentType: mediaType,
      digest: this.sendsDigest ? digestOf(bytes) : undefined,
    };
  }

  async statBlob(repository: string, digest: Digest): Promise<{ size: number | undefined }> {
    await this.#begin('statBlob', repository, digest);
    return { size: this.#blob(repository, digest).length };
  }

  async fetchBlob(
    repository: string,
    digest: Digest,
    resume: ResumePoint | undefined,
    signal: AbortSignal,
  ): Promise<FetchedBlob> {
    await this.#begin('fetchBlob', repository, `${digest}+${resume?.offset ?? 0}`);
    signal.throwIfAborted();
    if (resume !== undefined && this.rangeFailure !== undefined) throw this.rangeFailure;
    const play = this.plays.shift() ?? {};
    if (play.fails !== undefined) throw play.fails;
    const bytes = play.bytes ?? this.#blob(repository, digest);
    const offset = play.ignoresRange ? 0 : (resume?.offset ?? 0);
    const size = play.hidesSize ? undefined : bytes.length;
    const body = Readable.from(playBody(bytes, offset, play, signal), { objectMode: false });
    signal.addEventListener('abort', () => body.destroy(signal.reason as Error), { once: true });
    return { size, offset, etag: '"x"', body };
  }

  async listTags(repository: string): Promise<string[]> {
    await this.#begin('listTags', repository, '');
    const tags = this.tags.get(repository);
    if (tags === undefined) throw new RegistryError('NAME_UNKNOWN');
    return tags;
  }

  async listReferrers(repository: string, subject: Digest): Promise<Descriptor[] | undefined> {
    await this.#begin('listReferrers', repository, subject);
    return this.referrers;
  }

  async ping(): Promise<void> {
    await this.#begin('ping', '', '');
  }

  async close(): Promise<void> {}

  async #begin(call: string, repository: string, reference: string): Promise<void> {
    this.calls.push(`${call} ${repository} ${reference}`);
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
  }

  async #manifest(call: string, repository: string, reference: string) {
    await this.#begin(call, repository, reference);
    const separator = isDigest(reference) ? '@' : ':';
    const found = this.manifests.get(`${repository}${separator}${reference}`);
    if (found === undefined) throw new RegistryError('MANIFEST_UNKNOWN');
    return found;
  }

  #blob(repository: string, digest: Digest): Buffer {
    const bytes = this.blobs.get(`${repository}@${digest}`);
    if (bytes === undefined) throw new RegistryError('BLOB_UNKNOWN');
    return bytes;
  }
}

async function* playBody(
  bytes: Buffer,
  offset: number,
  play: Play,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const end = Math.min(bytes.length, play.cutAfter ?? bytes.length);
  const step = 16 * 1024;
  for (let position = offset; position < end; position += step) {
    // A generator that waits cannot be ended from outside.
    if (position + step >= end) await Promise.race([play.until, aborted(signal)]);
    yield bytes.subarray(position, Math.min(position + step, end));
  }
  if (play.cutAfter !== undefined) {
    throw new RegistryError('UPSTREAM_UNAVAILABLE', 'the connection broke');
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
