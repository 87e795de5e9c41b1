import { Counter, Gauge, type Registry } from 'prom-client';

/** Why images are warmed: somebody asks, it is time, or they are pulled often. */
export type WarmTrigger = 'request' | 'schedule';

/** What becomes of an image; has the shape of `ImageResult` in `warm`. */
type Result = 'warmed' | 'present' | 'failed' | 'planned';

const triggers: readonly WarmTrigger[] = ['request', 'schedule'];

/** Counts what is fetched ahead of need. */
export class WarmMetrics {
  readonly #runs: Counter<'trigger' | 'result'>;
  readonly #images: Counter<'trigger' | 'result'>;
  readonly #bytes: Counter<'trigger'>;
  readonly #running: Gauge<'trigger'>;

  constructor(register: Registry) {
    const registers = [register];
    this.#runs = new Counter({
      name: 'baleen_warm_runs_total',
      help: 'Runs of the warmer that have ended, by what began them (request, schedule) and result: done, failed (some image was not warmed), broken-off',
      labelNames: ['trigger', 'result'],
      registers,
    });
    this.#images = new Counter({
      name: 'baleen_warm_images_total',
      help: 'Images that were warmed, by what began the run and result: warmed, present, failed, planned (of a dry run)',
      labelNames: ['trigger', 'result'],
      registers,
    });
    this.#bytes = new Counter({
      name: 'baleen_warm_fetched_bytes_total',
      help: 'Bytes of blobs that came from upstreams for the warmer',
      labelNames: ['trigger'],
      registers,
    });
    this.#running = new Gauge({
      name: 'baleen_warm_running',
      help: 'Runs of the warmer under way',
      labelNames: ['trigger'],
      registers,
    });
    for (const trigger of triggers) {
      this.#runs.inc({ trigger, result: 'done' }, 0);
      this.#images.inc({ trigger, result: 'failed' }, 0);
      this.#bytes.inc({ trigger }, 0);
      this.#running.set({ trigger }, 0);
    }
  }

  /** A run has begun; gives what is to be called at its end. */
  runStarted(trigger: WarmTrigger): (result: 'done' | 'failed' | 'broken-off') => void {
    this.#running.inc({ trigger });
    return (result) => {
      this.#running.dec({ trigger });
      this.#runs.inc({ trigger, result });
    };
  }

  /** @param bytes that were fetched for it; of a dry run, none were */
  imageDone(trigger: WarmTrigger, result: Result, bytes: number): void {
    this.#images.inc({ trigger, result });
    if (result !== 'planned') this.#bytes.inc({ trigger }, bytes);
  }
}
