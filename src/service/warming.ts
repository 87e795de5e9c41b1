import type { Config } from '../config/config.ts';
import type { Content } from '../http/content.ts';
import type { OperationsApi } from '../http/operations-api.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { WarmMetrics, WarmTrigger } from '../telemetry/warm-metrics.ts';
import type { WarmEvent } from '../warm/warm-event.ts';
import type { Warmer } from '../warm/warmer.ts';
import type { WarmWishes } from '../warm/warm-wishes.ts';
import { createWarmer } from './create-warmer.ts';
import type { PullThrough } from './pull-through.ts';
import { warmParameters } from './warm-parameters.ts';

export interface WarmingOptions {
  readonly config: Config;
  readonly proxied: PullThrough;
  readonly hosted: Content<HostedRoute>;
  readonly metrics: WarmMetrics;
  readonly logger: Logger;
  /** Ends every run, as soon as the process is told to stop. */
  readonly signal: AbortSignal;
}

/** What warms images in the running service: each run is counted and logged, whoever asked for it. */
export class Warming {
  readonly #warmer: Warmer;
  readonly #options: WarmingOptions;
  readonly #running = new Set<Promise<unknown>>();

  constructor(options: WarmingOptions) {
    const { config, proxied, hosted, logger } = options;
    this.#options = options;
    this.#warmer = createWarmer(config, proxied, {
      hosted: {
        digest: async (route, reference) => (await hosted.manifests.get(route, reference)).digest,
        tags: async (route) => (await hosted.tags.list(route)).tags,
      },
      observer: {
        imageFailed: (image, error) => logger.warn('an image was not warmed', { image, error }),
      },
    });
  }

  /** What the operations API does. */
  get does(): OperationsApi['does'] {
    return { warm: (given, left) => this.run(warmParameters(given), 'request', left) };
  }

  /**
   * Warms images; see {@link Warmer.warm}. A run that nobody listens to any more ends.
   * @param signal ends this run; a stop of the service does so, too
   */
  async *run(
    wishes: WarmWishes,
    trigger: WarmTrigger,
    signal: AbortSignal,
  ): AsyncGenerator<WarmEvent, void, undefined> {
    const { metrics, logger } = this.#options;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    this.#running.add(ended);
    const finish = metrics.runStarted(trigger);
    let result: 'done' | 'failed' | 'broken-off' = 'broken-off';
    try {
      const either = AbortSignal.any([signal, this.#options.signal]);
      for await (const event of this.#warmer.warm(wishes, either)) {
        if (event.kind === 'image') metrics.imageDone(trigger, event.result, event.fetched_bytes);
        if (event.kind === 'summary') {
          result = event.failed > 0 ? 'failed' : 'done';
          const { kind: _kind, ...fields } = event;
          logger.info('images were warmed', { trigger, ...fields });
        }
        yield event;
      }
    } finally {
      finish(result);
      if (result === 'broken-off') logger.warn('warming was broken off', { trigger });
      this.#running.delete(ended);
      end();
    }
  }

  /** Settles when no run is under way any more; the signal has to be aborted. */
  async stop(): Promise<void> {
    await Promise.all(this.#running);
  }
}
