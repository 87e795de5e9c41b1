import { Counter, type Registry } from 'prom-client';

/** Counts what happens to the service as a whole. */
export class ServiceMetrics {
  readonly #failures: Counter<'kind'>;

  constructor(register: Registry) {
    const registers = [register];
    this.#failures = new Counter({
      name: 'baleen_process_failures_total',
      help: 'Rejections that nobody handled, and exceptions that nobody caught: each is a bug to report',
      labelNames: ['kind'],
      registers,
    });
    for (const kind of ['rejection', 'exception']) this.#failures.inc({ kind }, 0);
  }

  processFailed(kind: 'rejection' | 'exception'): void {
    this.#failures.inc({ kind });
  }
}
