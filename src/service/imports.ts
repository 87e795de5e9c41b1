import { CachedPart } from '../bundle/cached-part.ts';
import type { AdoptingPart, RepositoryContent } from '../bundle/adoption.ts';
import type { ImportEvent } from '../bundle/import-event.ts';
import type { Config } from '../config/config.ts';
import type { Notifications } from '../events/notifications.ts';
import type { OperationsApi } from '../http/operations-api.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { RegistryError } from '../oci/errors.ts';
import { ticksWhile } from '../lib/ticks.ts';
import type { ImportMetrics } from '../telemetry/import-metrics.ts';
import type { Logger } from '../telemetry/logger.ts';
import { adoptImages, type AdoptImagesParameters } from './adopt-images.ts';
import { bundleTrust } from './bundle-trust.ts';
import { referencesOf } from './content-events.ts';
import { placeNames } from './place-names.ts';
import type { PullThrough } from './pull-through.ts';

export interface ImportsOptions {
  /** What is in force. */
  readonly config: () => Config;
  readonly proxied: Pick<PullThrough, 'layout' | 'store' | 'catalog' | 'cache' | 'pins'>;
  /** Where goes what belongs to hosted repositories. */
  readonly hosted: AdoptingPart;
  readonly events: Pick<Notifications, 'wants' | 'tell' | 'record'>;
  readonly metrics: ImportMetrics;
  readonly logger: Pick<Logger, 'info'>;
  /** Nothing is begun any more: the process is told to stop. */
  readonly signal: AbortSignal;
}

/** Milliseconds after which who waits for another import hears that it still does. */
const silence = 15_000;

/** `POST /api/import`: takes in what `baleen import` has read, verified and laid down beside the stores. */
export class Imports {
  readonly #options: ImportsOptions;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: ImportsOptions) {
    this.#options = options;
  }

  get does(): OperationsApi['does'] {
    return { import: (given) => this.#import(importParameters(given)) };
  }

  /** Settles when none is under way: what was begun is brought to its end. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async *#import(parameters: AdoptImagesParameters): AsyncGenerator<ImportEvent> {
    // One at a time: what the last one has brought is there for the next.
    const before = this.#running;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    this.#running = Promise.all([before, ended]);
    try {
      for await (const _ of ticksWhile(before, silence)) {
        yield { kind: 'progress', bytes: 0, total: 0 };
      }
      if (this.#options.signal.aborted) {
        throw new RegistryError('UNAVAILABLE', 'this Baleen is about to stop; import again');
      }
      yield* this.#adopt(parameters);
    } finally {
      end();
    }
  }

  async *#adopt(parameters: AdoptImagesParameters): AsyncGenerator<ImportEvent> {
    const { config, proxied, hosted, metrics, logger } = this.#options;
    const { layout, store, catalog, cache, pins } = proxied;
    const cached = new CachedPart({ layout, store, catalog, put: (each) => cache.put(each) });
    const started = performance.now();
    let isDone = false;
    try {
      const options = {
        root: layout.root,
        parts: { cached, hosted },
        names: placeNames(config()),
        trust: await bundleTrust(config()),
        isOpen: config().auth === undefined,
        pins,
        evictor: store.evictor,
        adopted: (content: RepositoryContent) => this.#tell(content),
      };
      for await (const event of adoptImages(options, parameters)) {
        if (event.kind === 'adopted') {
          isDone = true;
          store.evictor.reconsider();
          logger.info('images were imported', {
            images: event.images.slice(0, 100),
            count: event.images.length,
            pinned: event.pinned.length,
            seconds: Math.round(performance.now() - started) / 1000,
          });
        }
        yield event;
      }
    } finally {
      metrics.ended(isDone);
    }
  }

  /** As if the images had been pulled from their upstreams, or pushed. */
  async #tell({ part, key, repository, manifests, tags, read }: RepositoryContent): Promise<void> {
    const { events, metrics } = this.#options;
    const action = part === 'cached' ? 'cache' : 'push';
    const name = part === 'cached' ? key : repository;
    metrics.imported(part, tags.length);
    if (!events.wants({ action, kind: 'manifest', repository: name })) return;
    for (const manifest of manifests) {
      const { digest, mediaType, size } = manifest;
      const event = {
        action,
        kind: 'manifest',
        at: Date.now(),
        repository: name,
        digest,
        mediaType,
        size,
      } as const;
      const named = tags.filter((tag) => tag.digest === digest);
      const { bytes } = await read(manifest);
      const references = (): readonly Descriptor[] => referencesOf(bytes, mediaType);
      for (const { tag } of named.length === 0 ? [{ tag: undefined }] : named) {
        const whole = { ...event, tag, references };
        if (part === 'cached') events.tell(whole);
        else await events.record(whole);
      }
    }
  }
}

/** @throws RegistryError REQUEST_INVALID */
function importParameters(given: Readonly<Record<string, unknown>>): AdoptImagesParameters {
  const { staged, pin = false } = given;
  if (typeof staged !== 'string' || typeof pin !== 'boolean') {
    throw new RegistryError('REQUEST_INVALID', 'staged has to be text, and pin true or false');
  }
  return { staged, pin };
}
