import { Counter, Gauge, type Registry } from 'prom-client';

/** Counts what happens to the service as a whole. */
export class ServiceMetrics {
  readonly #failures: Counter<'kind'>;
  readonly #reloads: Counter<'result'>;
  readonly #reloaded: Gauge;
  readonly #reloadedAt: Gauge;

  constructor(register: Registry) {
    const registers = [register];
    this.#failures = new Counter({
      name: 'baleen_process_failures_total',
      help: 'Rejections that nobody handled, and exceptions that nobody caught: each is a bug to report',
      labelNames: ['kind'],
      registers,
    });
    for (const kind of ['rejection', 'exception']) this.#failures.inc({ kind }, 0);
    this.#reloads = new Counter({
      name: 'baleen_config_reloads_total',
      help: 'Times that the configuration was read again, by result: succeeded or refused',
      labelNames: ['result'],
      registers,
    });
    for (const result of ['succeeded', 'refused']) this.#reloads.inc({ result }, 0);
    this.#reloaded = new Gauge({
      name: 'baleen_config_last_reload_successful',
      help: 'Whether the configuration could be used when it was last read: 1, or 0 while an older one is in force',
      registers,
    });
    this.#reloaded.set(1);
    this.#reloadedAt = new Gauge({
      name: 'baleen_config_last_reload_success_timestamp_seconds',
      help: 'When the configuration in force was read',
      registers,
    });
    this.#reloadedAt.setToCurrentTime();
  }

  processFailed(kind: 'rejection' | 'exception'): void {
    this.#failures.inc({ kind });
  }

  configReloaded(succeeded: boolean): void {
    this.#reloads.inc({ result: succeeded ? 'succeeded' : 'refused' });
    this.#reloaded.set(succeeded ? 1 : 0);
    if (succeeded) this.#reloadedAt.setToCurrentTime();
  }
}
