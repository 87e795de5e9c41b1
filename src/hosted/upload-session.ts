import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, writeFileAtomic } from '../lib/atomic-file.ts';
import { digestAlgorithms, type DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import { sizeOfData, UploadData } from './upload-data.ts';

/** What is on record of a session: `session.json`. */
interface SessionRecord {
  readonly repository: QualifiedName;
  readonly algorithm: DigestAlgorithm;
}

/** A request that works on a session. */
interface Running {
  readonly controller: AbortController;
  readonly ended: Promise<void>;
}

/**
 * A blob on its way in: `uploads/<id>/{session.json,data}`. One request at a time works on it, and
 * the newest wins: a client whose connection broke is back before we notice that it had gone.
 */
export class UploadSession {
  /** Nobody can guess it. */
  readonly id: string;
  /** The only one that it is good for. */
  readonly repository: QualifiedName;
  readonly data: UploadData;
  readonly #folder: string;
  /** Milliseconds since the epoch. */
  #usedAt: number;
  #isOver = false;
  #running: Running | undefined;

  private constructor(
    folder: string,
    id: string,
    { repository, algorithm }: SessionRecord,
    size: number,
    usedAt: number,
  ) {
    this.id = id;
    this.repository = repository;
    this.data = new UploadData(join(folder, 'data'), size, algorithm);
    this.#folder = folder;
    this.#usedAt = usedAt;
  }

  /**
   * Starts one. It is on record before anybody hears of it, so that it survives this process; it
   * need not survive the machine, and costs no sync: a client whose upload is gone begins another.
   * @param uploads the folder of all of them
   * @param algorithm of the digest that is expected
   */
  static async create(
    uploads: string,
    repository: QualifiedName,
    algorithm: DigestAlgorithm,
  ): Promise<UploadSession> {
    const id = randomUUID();
    const folder = join(uploads, id);
    const record: SessionRecord = { repository, algorithm };
    await mkdir(folder, { recursive: true });
    try {
      await writeFileAtomic(join(folder, 'session.json'), `${JSON.stringify(record)}\n`, {
        tmpDir: folder,
        durable: false,
      });
    } catch (error) {
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      throw error;
    }
    return new UploadSession(folder, id, record, 0, Date.now());
  }

  /**
   * Finds one that an earlier process left; undefined where nothing says what it is.
   * @throws the file system's error
   */
  static async reopen(uploads: string, id: string): Promise<UploadSession | undefined> {
    const folder = join(uploads, id);
    let text: string;
    try {
      text = await readFile(join(folder, 'session.json'), 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    const record = parseRecord(text);
    if (record === undefined) return undefined;
    const data = join(folder, 'data');
    const size = await sizeOfData(data);
    const { mtimeMs } = await stat(size > 0 ? data : folder);
    return new UploadSession(folder, id, record, size, mtimeMs);
  }

  /** When it was last of use, in milliseconds since the epoch. */
  get usedAt(): number {
    return this.#running === undefined ? this.#usedAt : Date.now();
  }

  /** It was finished, cancelled or given up. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Runs a request's work on the session, as soon as the one before has ended, which it is told to.
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN where it is over by then
   */
  async run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    // Not by `interrupt()`: of several who wait, the first has begun before the next one looks.
    while (this.#running !== undefined) await this.#stop(this.#running);
    if (this.#isOver) throw new RegistryError('BLOB_UPLOAD_UNKNOWN');
    const controller = new AbortController();
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    this.#running = { controller, ended };
    try {
      return await work(controller.signal);
    } finally {
      this.#usedAt = Date.now();
      this.#running = undefined;
      end();
    }
  }

  /** Ends what goes on; settles when nothing does. */
  async interrupt(): Promise<void> {
    while (this.#running !== undefined) await this.#stop(this.#running);
  }

  /** Removes all that is left of it. To be called inside {@link run}, or while nothing runs. */
  async remove(): Promise<void> {
    this.#isOver = true;
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #stop({ controller, ended }: Running): Promise<void> {
    controller.abort(
      new RegistryError('BLOB_UPLOAD_INVALID', 'another request goes on with this upload'),
    );
    await ended;
  }
}

function parseRecord(text: string): SessionRecord | undefined {
  try {
    const { repository, algorithm } = JSON.parse(text) as Record<string, unknown>;
    const known = digestAlgorithms.find((name) => name === algorithm);
    // It is only ever compared with the key of a route.
    if (typeof repository !== 'string' || known === undefined) return undefined;
    return { repository: repository as QualifiedName, algorithm: known };
  } catch {
    return undefined;
  }
}
