import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Catalog } from '../catalog/catalog.ts';
import type { Content } from '../http/content.ts';
import type { OperationsApi } from '../http/operations-api.ts';
import { Serial } from '../lib/serial.ts';
import type { Digest } from '../oci/digest.ts';
import { MissingFile } from '../registry/missing-file.ts';
import { MissingImages, type MissingImage, type Sighting } from '../registry/missing-images.ts';
import { OfflineAnswers } from '../registry/offline-answers.ts';
import type { Route } from '../registry/resolve-route.ts';
import { isStillMissing } from '../registry/still-missing.ts';
import type { Layout } from '../store/layout.ts';
import { fileSize } from '../store/verification.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { Occasional } from '../telemetry/occasional.ts';

export interface MissingOptions {
  readonly layout: Layout;
  readonly catalog: Catalog;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** What `GET /api/missing` tells, and `POST /api/missing/clear` of what it let go. */
export interface MissingReport {
  /** In the order in which they were last asked for. */
  readonly images: readonly MissingImage[];
}

/** Milliseconds between two writes of the file: no more than that is forgotten in a crash. */
const writeInterval = 2_000;

/** Milliseconds between two looks whether what was missing has come. */
const lookInterval = 60_000;

/** Milliseconds between two log lines about one image. */
const quiet = 600_000;

/** What is asked of upstreams that are offline by the configuration and is not here: told, and kept. */
export class Missing {
  readonly #options: MissingOptions;
  readonly #file: MissingFile;
  readonly #images = new MissingImages();
  readonly #answers: OfflineAnswers;
  readonly #occasional = new Occasional(quiet);
  readonly #writes = new Serial();
  #isWritten = true;

  private constructor(options: MissingOptions) {
    const { layout, catalog, metrics } = options;
    this.#options = options;
    this.#file = new MissingFile(layout.root);
    this.#answers = new OfflineAnswers({
      catalog,
      read: (digest, limit) => readManifest(layout, digest, limit),
      missed: (sighting) => this.#note(sighting),
    });
    metrics.observeMissing(() => this.#images.size);
  }

  /** Takes up what was noted before; where that cannot be read, begins anew and says so. */
  static async open(options: MissingOptions): Promise<Missing> {
    const missing = new Missing(options);
    try {
      missing.#images.restore(await missing.#file.read());
    } catch (error) {
      options.logger.warn('what was asked for and missing cannot be read, and is noted anew', {
        error,
      });
    }
    return missing;
  }

  /** The same content; what it fails with for want of an upstream that is offline is told better, and noted. */
  telling(content: Content<Route>): Content<Route> {
    const { manifests, blobs } = content;
    const answers = this.#answers;
    return {
      ...content,
      manifests: {
        get: (route, reference) => {
          const answer = manifests.get(route, reference);
          if (route.via === 'hosted' || route.remote.offline !== true) return answer;
          return answer.catch(async (error: unknown) => {
            throw await answers.ofManifest(route, reference, error);
          });
        },
      },
      blobs: {
        open: (route, digest) => {
          const answer = blobs.open(route, digest);
          if (route.via === 'hosted' || route.remote.offline !== true) return answer;
          return answer.catch(async (error: unknown) => {
            throw await answers.ofBlob(route, digest, error);
          });
        },
        stat: (route, digest) => {
          const answer = blobs.stat(route, digest);
          if (route.via === 'hosted' || route.remote.offline !== true) return answer;
          return answer.catch(async (error: unknown) => {
            throw await answers.ofBlob(route, digest, error);
          });
        },
        contentFailed: (route, digest, reader, error) =>
          blobs.contentFailed(route, digest, reader, error),
      },
    };
  }

  /** `GET /api/missing` and `POST /api/missing/clear` */
  get api(): OperationsApi {
    return {
      tells: {
        missing: async (): Promise<MissingReport> => {
          await this.#look();
          return { images: this.#images.all() };
        },
      },
      does: {
        'missing/clear': async (): Promise<MissingReport> => {
          await this.#look();
          const images = this.#images.clear();
          this.#isWritten = false;
          await this.#write();
          return { images };
        },
      },
    };
  }

  /** Keeps the file up to date until the signal says stop, and a last time then. */
  async run(signal: AbortSignal): Promise<void> {
    for (let round = 1; !signal.aborted; round++) {
      await delay(writeInterval, undefined, { signal, ref: false }).catch(() => undefined);
      if (round % Math.ceil(lookInterval / writeInterval) === 0) await this.#look();
      await this.#write();
    }
    // What came while that was going on.
    await this.#write();
  }

  #note(sighting: Sighting): void {
    const isNew = this.#images.note(sighting);
    this.#isWritten = false;
    if (!isNew || this.#occasional.admit(sighting.image) === undefined) return;
    this.#options.logger.warn(
      'an image was asked for that is not here, and its upstream is offline',
      {
        ...sighting,
      },
    );
  }

  /** Lets go of what has come. */
  async #look(): Promise<void> {
    const { catalog, layout } = this.#options;
    const sizeOf = (digest: Digest): Promise<number | undefined> => fileSize(layout.blob(digest));
    for (const image of this.#images.all()) {
      if (await isStillMissing(image, { catalog, sizeOf })) continue;
      if (this.#images.remove(image)) this.#isWritten = false;
    }
  }

  /** A disk that refuses is tried again: what is noted is in memory, and no request waits for it. */
  async #write(): Promise<void> {
    await this.#writes.run(['file'], async () => {
      if (this.#isWritten) return;
      this.#isWritten = true;
      try {
        await this.#file.write(this.#images.all());
      } catch (error) {
        this.#isWritten = false;
        if (this.#occasional.admit('') === undefined) return;
        this.#options.logger.warn('what was asked for and missing cannot be written down', {
          error,
        });
      }
    });
  }
}

/** Not through the store, for which it would be a use. */
async function readManifest(
  layout: Layout,
  digest: Digest,
  limit: number,
): Promise<Buffer | undefined> {
  const path = layout.blob(digest);
  const size = await fileSize(path);
  return size === undefined || size > limit ? undefined : readFile(path);
}
