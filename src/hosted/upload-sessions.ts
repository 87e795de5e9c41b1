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
  /** How many each account has begun; none of those that an earlier process left. */
  readonly #begun = new Map<string, number>();
  readonly #owners = new WeakMap<UploadSession, string>();

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
   * @param owner the account; undefined where nobody has logged in
   * @throws RegistryError TOOMANYREQUESTS, UNAVAILABLE (the disk)
   */
  async start(
    { key }: HostedRoute,
    algorithm: DigestAlgorithm,
    owner?: string,
  ): Promise<UploadSession> {
    const { folder, maxUploads, store } = this.#options;
    const begun = owner === undefined ? 0 : (this.#begun.get(owner) ?? 0);
    // No account leaves the others without any.
    const isGreedy = begun >= Math.ceil(maxUploads / 2);
    if (isGreedy || this.#sessions.size + this.#starting >= maxUploads) {
      const message = isGreedy
        ? 'this account has too many uploads open (half of hosted.max_uploads)'
        : 'too many uploads are open (hosted.max_uploads)';
      throw new RegistryError('TOOMANYREQUESTS', message, { retryAfter: 60 });
    }
    this.#starting++;
    if (owner !== undefined) this.#begun.set(owner, begun + 1);
    try {
      const session = await UploadSession.create(folder, key, algorithm);
      this.#sessions.set(session.id, session);
      if (owner !== undefined) this.#owners.set(session, owner);
      return session;
    } catch (error) {
      this.#ended(owner);
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
    if (this.#sessions.delete(session.id)) this.#ended(this.#owners.get(session));
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

  #ended(owner: string | undefined): void {
    if (owner === undefined) return;
    const left = (this.#begun.get(owner) ?? 0) - 1;
    if (left > 0) this.#begun.set(owner, left);
    else this.#begun.delete(owner);
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
