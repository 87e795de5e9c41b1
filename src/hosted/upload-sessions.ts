import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../lib/atomic-file.ts';
import type { DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import type { DiskBlobStore } from '../store/disk-blob-store.ts';
import { leftoverAge } from '../store/leftovers.ts';
import type { UploadObserver, UploadResult } from './upload-observer.ts';
import { UploadSession } from './upload-session.ts';

export interface UploadSessionsOptions {
  /** `<data>/v1/hosted/uploads`. */
  readonly folder: string;
  readonly store: Pick<DiskBlobStore, 'refused'>;
  /** Sessions that are open at once. */
  readonly maxUploads: number;
  /** Milliseconds after its last byte that an upload is kept. */
  readonly ttl: number;
  readonly observer: UploadObserver;
}

/** All uploads that are open. They survive a restart. */
export class UploadSessions {
  readonly #options: UploadSessionsOptions;
  readonly #sessions = new Map<string, UploadSession>();
  /** Those that are being started. */
  #starting = 0;

  constructor(options: UploadSessionsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#sessions.size;
  }

  /** Bytes that they have on the disk. */
  get bytes(): number {
    let sum = 0;
    for (const { data } of this.#sessions.values()) sum += data.size;
    return sum;
  }

  /** Finds those that an earlier process left. A disk that fails here costs them, not the start. */
  async recover(): Promise<void> {
    const { folder, observer } = this.#options;
    try {
      for (const id of await readdir(folder)) {
        await this.#reopen(id).catch((error: unknown) => observer.leftBehind(error));
      }
    } catch (error) {
      if (!isMissing(error)) observer.leftBehind(error);
    }
  }

  /**
   * @param algorithm of the digest that is expected in the end
   * @throws RegistryError TOOMANYREQUESTS, UNAVAILABLE (the disk)
   */
  async start({ key }: HostedRoute, algorithm: DigestAlgorithm): Promise<UploadSession> {
    const { folder, maxUploads, store } = this.#options;
    if (this.#sessions.size + this.#starting >= maxUploads) {
      const message = 'too many uploads are open (hosted.max_uploads)';
      throw new RegistryError('TOOMANYREQUESTS', message, { retryAfter: 60 });
    }
    this.#starting++;
    try {
      const session = await UploadSession.create(folder, key, algorithm);
      this.#sessions.set(session.id, session);
      return session;
    } catch (error) {
      throw store.refused('upload', error);
    } finally {
      this.#starting--;
    }
  }

  /** @throws RegistryError BLOB_UPLOAD_UNKNOWN, also where it is another repository's */
  find({ key }: HostedRoute, id: string): UploadSession {
    const session = this.#sessions.get(id);
    if (session?.repository === key) return session;
    throw new RegistryError('BLOB_UPLOAD_UNKNOWN');
  }

  /** Forgets one, and removes what is left of it; to be called inside its `run`. */
  async end(session: UploadSession, result: UploadResult): Promise<void> {
    const { observer } = this.#options;
    this.#sessions.delete(session.id);
    observer.ended(result);
    await session.remove().catch((error: unknown) => observer.leftBehind(error));
  }

  /**
   * Gives up those that nobody has gone on with for too long.
   * @param now milliseconds since the epoch
   */
  async expire(now = Date.now()): Promise<void> {
    for (const session of this.#sessions.values()) {
      if (now - session.usedAt < this.#options.ttl) continue;
      // Somebody may have ended it at this very moment.
      await session.run(() => this.end(session, 'expired')).catch(() => undefined);
    }
  }

  /** Ends what goes on; what came is there after a restart. */
  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.interrupt()));
  }

  async #reopen(id: string): Promise<void> {
    const { folder } = this.#options;
    const session = await UploadSession.reopen(folder, id);
    if (session !== undefined) {
      this.#sessions.set(id, session);
      return;
    }
    // Half made when the process ended; or at this moment, by one that is about to end.
    const path = join(folder, id);
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > leftoverAge) await rm(path, { recursive: true, force: true });
  }
}
