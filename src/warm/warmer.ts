import { ticksWhile } from '../lib/ticks.ts';
import { RegistryError } from '../oci/errors.ts';
import type { WarmEvent } from './warm-event.ts';
import { WarmRun } from './warm-run.ts';
import type { WarmWishes } from './warm-wishes.ts';
import type { WarmerOptions } from './warmer-options.ts';

/** Milliseconds between two looks at what there is to tell. */
const interval = 250;

/** Milliseconds after which something is told although nothing has happened: whoever listens may have a deadline. */
const longestSilence = 15_000;

/** Fetches images before anybody asks for them: through the use cases that serve clients. */
export class Warmer {
  readonly #options: WarmerOptions;

  constructor(options: WarmerOptions) {
    this.#options = options;
  }

  /**
   * Warms images, and tells how it goes. When the last document is out, or when nobody wants the next,
   * nothing of it is under way any more.
   * @throws RegistryError UNAVAILABLE where the signal ends it
   */
  async *warm(wishes: WarmWishes, signal: AbortSignal): AsyncGenerator<WarmEvent, void, undefined> {
    const stop = new AbortController();
    const run = new WarmRun(this.#options, wishes, AbortSignal.any([signal, stop.signal]));
    const work = run.work();
    // How it ended is looked at below, where somebody still listens.
    const ended = work.catch(() => undefined);
    let last = '';
    let toldAt = -Infinity;
    try {
      for await (const _tick of ticksWhile(work, interval)) {
        const told = run.take();
        yield* told;
        const progress = run.progress;
        const text = JSON.stringify(progress);
        if (text === last && performance.now() - toldAt < longestSilence) continue;
        last = text;
        toldAt = performance.now();
        yield progress;
      }
      yield* run.take();
      if (signal.aborted) throw new RegistryError('UNAVAILABLE', 'warming was broken off');
      await work;
      yield run.progress;
      yield run.summary;
    } finally {
      stop.abort();
      await ended;
    }
  }
}
