import { Counter, Gauge, type Registry } from 'prom-client';
import { BoundedLabel } from './bounded-label.ts';

/** Counts what happens to the service as a whole. */
export class ServiceMetrics {
  readonly #failures: Counter<'kind'>;
  readonly #reloads: Counter<'result'>;
  readonly #refusals: Counter<'limit'>;
  readonly #accepts: Counter<'code'>;
  readonly #exhausted: Gauge;
  readonly #codes = new BoundedLabel(20);
  readonly #reloaded: Gauge;
  readonly #reloadedAt: Gauge;
  readonly #register: Registry;
  #certificateReloaded: Gauge | undefined;

  constructor(register: Registry) {
    const registers = [register];
    this.#register = register;
    this.#failures = new Counter({
      name: 'baleen_process_failures_total',
      help: 'Rejections that nobody handled, and exceptions that nobody caught: each is a bug to report',
      labelNames: ['kind'],
      registers,
    });
    for (const kind of ['rejection', 'exception']) this.#failures.inc({ kind }, 0);
    this.#refusals = new Counter({
      name: 'baleen_client_refusals_total',
      help: 'Connections and requests of clients that were refused, by the limit that was reached',
      labelNames: ['limit'],
      registers,
    });
    this.#accepts = new Counter({
      name: 'baleen_accept_failures_total',
      help: 'Times that the system refused to accept a connection, by its code, such as EMFILE',
      labelNames: ['code'],
      registers,
    });
    this.#exhausted = new Gauge({
      name: 'baleen_file_descriptors_exhausted',
      help: '1 while the process can open no more files: new connections are closed, and misses fail',
      registers,
    });
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

  /**
   * There is TLS: where to ask when the certificate in use expires, in milliseconds since the epoch,
   * whenever metrics are collected.
   */
  observeCertificate(expires: () => number): void {
    this.#register.registerMetric(
      new Gauge({
        name: 'baleen_tls_certificate_expires_seconds',
        help: 'When the certificate that clients are shown expires, in seconds since the epoch',
        registers: [],
        collect() {
          this.set(expires() / 1000);
        },
      }),
    );
    this.#certificateReloaded = new Gauge({
      name: 'baleen_tls_certificate_last_reload_successful',
      help: 'Whether the files of the certificate could be used when they last changed: 1, or 0 while an older one is shown',
      registers: [this.#register],
    });
    this.#certificateReloaded.set(1);
  }

  certificateReloaded(succeeded: boolean): void {
    this.#certificateReloaded?.set(succeeded ? 1 : 0);
  }

  /** A connection was closed, or a request refused, because of this limit. */
  clientRefused(limit: string): void {
    this.#refusals.inc({ limit });
  }

  /** @param code the system's, where it gave one */
  acceptFailed(code: string | undefined): void {
    this.#accepts.inc({ code: this.#codes.of(code) });
  }

  descriptorsExhausted(areExhausted: boolean): void {
    this.#exhausted.set(areExhausted ? 1 : 0);
  }
}
