import type { Readable } from 'node:stream';
import type { Catalog } from '../catalog/catalog.ts';
import { Serial } from '../lib/serial.ts';
import type { PumpEnd } from '../lib/pump.ts';
import type { ByteRange } from '../oci/byte-range.ts';
import { splitDigest, type Digest, type DigestAlgorithm } from '../oci/digest.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import type { DiskBlobStore } from '../store/disk-blob-store.ts';
import type { HostedLocks } from './hosted-locks.ts';
import type { UploadObserver } from './upload-observer.ts';
import type { UploadSession } from './upload-session.ts';
import type { UploadSessions } from './upload-sessions.ts';

export interface UploadsOptions {
  readonly sessions: UploadSessions;
  readonly store: Pick<DiskBlobStore, 'adopt' | 'refused'>;
  readonly catalog: Catalog;
  readonly locks: HostedLocks;
  /** Bytes of one blob. */
  readonly maxBlobSize: number;
  readonly observer: UploadObserver;
}

/** What a client sends of a blob. */
export interface UploadBody {
  /** Bytes, as announced; undefined where the body tells only when it ends. */
  readonly length: number | undefined;
  /** Where in the blob it belongs, where the client says so; else behind what is there. */
  readonly range: ByteRange | undefined;
  /** Gives the bytes; called once, when they can be taken. */
  open(): Readable;
}

/** How a client's bytes were taken. */
export interface Appended {
  /** Bytes of the whole blob that are there. */
  readonly offset: number;
  /** False where the client left before its body's end. */
  readonly isWhole: boolean;
}

/**
 * Blobs that are synced at once. A large one takes seconds, and a thread that all who pull need for
 * reading; there are four of them.
 */
const syncLanes = 2;

/** The media type of a blob that no manifest has described yet. */
const unknownType = 'application/octet-stream';

/**
 * Brings blobs into hosted repositories (distribution specification, "Pushing Blobs"). What is
 * acknowledged as a blob is on disk. Every call is about one session: the newest ends the one
 * before it, for a client that is back has lost its last connection.
 */
export class Uploads {
  readonly #options: UploadsOptions;
  readonly #syncs = new Serial();
  #lane = 0;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /**
   * Begins an upload.
   * @param algorithm of the digest that is expected in the end
   * @param owner the account; undefined where nobody has logged in
   * @returns its id
   * @throws RegistryError TOOMANYREQUESTS, UNAVAILABLE (the disk)
   */
  async start(route: HostedRoute, algorithm: DigestAlgorithm, owner?: string): Promise<string> {
    const { id } = await this.#options.sessions.start(route, algorithm, owner);
    return id;
  }

  /**
   * Bytes of an upload that are there.
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN
   */
  status(route: HostedRoute, id: string): Promise<number> {
    const session = this.#options.sessions.find(route, id);
    return session.run(() => Promise.resolve(session.data.size));
  }

  /**
   * Appends what the client sends.
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN; RANGE_INVALID with `{ offset }`, where the upload goes
   *   on; SIZE_INVALID; SIZE_LIMIT and UNAVAILABLE (the disk), and the upload is gone
   */
  append(route: HostedRoute, id: string, body: UploadBody): Promise<Appended> {
    const session = this.#options.sessions.find(route, id);
    return session.run((signal) => this.#append(session, body, signal));
  }

  /**
   * Ends an upload: what came, with a last part where there is one, is the blob.
   * @returns false where the client left before its body's end; the upload is still open then
   * @throws RegistryError as {@link append}; DIGEST_INVALID, and the upload is gone
   */
  finish(
    route: HostedRoute,
    id: string,
    digest: Digest,
    last: UploadBody | undefined,
  ): Promise<boolean> {
    const session = this.#options.sessions.find(route, id);
    return session.run(async (signal) => {
      if (last !== undefined) {
        const { isWhole } = await this.#append(session, last, signal);
        if (!isWhole) return false;
      }
      await this.#finish(session, route, digest, signal);
      return true;
    });
  }

  /** @throws RegistryError BLOB_UPLOAD_UNKNOWN */
  async cancel(route: HostedRoute, id: string): Promise<void> {
    const { sessions } = this.#options;
    const session = sessions.find(route, id);
    await session.run(() => sessions.end(session, 'cancelled'));
  }

  async #append(session: UploadSession, body: UploadBody, signal: AbortSignal): Promise<Appended> {
    const { observer, maxBlobSize } = this.#options;
    const { data } = session;
    const { length, range } = body;
    const before = data.size;
    if (range !== undefined && range.start !== before) {
      throw new RegistryError('RANGE_INVALID', `the upload goes on at byte ${before}`, {
        detail: { offset: before },
      });
    }
    const announced = range === undefined ? length : range.end - range.start + 1;
    if (length !== undefined && length !== announced) throw new RegistryError('SIZE_INVALID');
    const room = maxBlobSize - before;
    if (announced !== undefined && announced > room) throw await this.#tooLarge(session);
    let end: PumpEnd;
    try {
      const appending = data.append(() => body.open(), announced ?? room, signal);
      end = await this.#unlessDiskFails(session, appending);
    } catch (error) {
      if (!isRegistryError(error, 'SIZE_LIMIT')) throw error;
      if (announced === undefined) throw await this.#tooLarge(session);
      throw new RegistryError('SIZE_INVALID');
    } finally {
      if (data.size > before) observer.received(data.size - before);
    }
    if (end === 'stopped') signal.throwIfAborted();
    const isWhole = end === 'end';
    const offset = data.size;
    if (isWhole && announced !== undefined && offset < before + announced) {
      throw new RegistryError('SIZE_INVALID');
    }
    return { offset, isWhole };
  }

  async #finish(
    session: UploadSession,
    { key }: HostedRoute,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<void> {
    const { sessions, store, catalog, locks } = this.#options;
    const { data } = session;
    const { algorithm } = splitDigest(digest);
    const actual = await this.#unlessDiskFails(session, data.digest(algorithm, signal));
    const { path, size } = data;
    if (actual !== digest) {
      await sessions.end(session, 'digest');
      throw new RegistryError('DIGEST_INVALID', 'the upload has another digest', {
        detail: { digest, actual, size },
      });
    }
    // From here on nothing ends it but the disk.
    const commit = async (): Promise<void> => {
      await this.#syncs.run([`lane ${++this.#lane % syncLanes}`], () => data.sync());
      await locks.withBlobs([digest], async () => {
        await store.adopt(digest, path, size);
        await catalog.link(key, 'blobs', [{ digest, mediaType: unknownType, size }]);
      });
    };
    await this.#unlessDiskFails(session, commit());
    await sessions.end(session, 'finished');
  }

  /**
   * Where the disk fails, the upload is over: what came of it would keep a full disk full, and
   * clients begin anew.
   */
  async #unlessDiskFails<T>(session: UploadSession, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      // What the record failed with is inside.
      const cause = isRegistryError(error, 'UNKNOWN') ? error.cause : error;
      if (isRegistryError(cause) && cause.code !== 'UNAVAILABLE') throw cause;
      await this.#options.sessions.end(session, 'disk');
      throw this.#options.store.refused('upload', cause);
    }
  }

  async #tooLarge(session: UploadSession): Promise<RegistryError> {
    const { sessions, maxBlobSize } = this.#options;
    await sessions.end(session, 'size');
    const message = `a blob may have ${maxBlobSize} bytes (hosted.max_blob_size)`;
    return new RegistryError('SIZE_LIMIT', message);
  }
}
