import { Counter, Gauge, type Registry } from 'prom-client';
import type { Held } from '../access/hold-policy.ts';
import type { DropReason, EndpointStatus } from '../events/endpoint.ts';
import { BoundedLabel } from './bounded-label.ts';

/** Counts what endpoints are told of, and what is held back until they have answered. */
export class NotificationMetrics {
  readonly #register: Registry;
  readonly #delivered: Counter<'endpoint'>;
  readonly #failures: Counter<'endpoint'>;
  readonly #dropped: Counter<'endpoint' | 'reason'>;
  readonly #held: Counter<'reason'>;
  readonly #endpoints = new BoundedLabel(100);

  constructor(register: Registry) {
    this.#register = register;
    const registers = [register];
    this.#delivered = new Counter({
      name: 'baleen_notifications_delivered_total',
      help: 'Events that an endpoint has taken',
      labelNames: ['endpoint'],
      registers,
    });
    this.#failures = new Counter({
      name: 'baleen_notifications_failures_total',
      help: 'Requests to an endpoint that failed; their events go out again',
      labelNames: ['endpoint'],
      registers,
    });
    this.#dropped = new Counter({
      name: 'baleen_notifications_dropped_total',
      help: 'Events that an endpoint will never get: its queue was full, its files were damaged, the disk refused, or the endpoint refused them',
      labelNames: ['endpoint', 'reason'],
      registers,
    });
    this.#held = new Counter({
      name: 'baleen_held_pulls_total',
      help: 'Pulls of images that were held back: nobody had judged them (unknown), or a verdict denied them (denied)',
      labelNames: ['reason'],
      registers,
    });
    for (const reason of ['unknown', 'denied']) this.#held.inc({ reason }, 0);
  }

  /** A pull was held back. */
  held(reason: Held['kind']): void {
    this.#held.inc({ reason });
  }

  /** Where to ask how many verdicts there are. */
  observeVerdicts(read: () => number): void {
    this.#register.registerMetric(
      new Gauge({
        name: 'baleen_verdicts',
        help: 'Images about which a verdict is on record',
        registers: [],
        collect() {
          this.set(read());
        },
      }),
    );
  }

  delivered(endpoint: string, count: number): void {
    this.#delivered.inc({ endpoint: this.#endpoints.of(endpoint) }, count);
  }

  failed(endpoint: string): void {
    this.#failures.inc({ endpoint: this.#endpoints.of(endpoint) });
  }

  dropped(endpoint: string, count: number, reason: DropReason): void {
    this.#dropped.inc({ endpoint: this.#endpoints.of(endpoint), reason }, count);
  }

  /** Where to ask how the endpoints stand, whenever metrics are collected. */
  observe(read: () => readonly EndpointStatus[]): void {
    const gauges = [
      ['queued', 'Events that wait for an endpoint', ({ queued }: EndpointStatus) => queued],
      ['queue_bytes', 'Bytes on disk of what waits', ({ bytes }: EndpointStatus) => bytes],
      [
        'oldest_age_seconds',
        'How long ago the event happened that has waited longest; 0 where none waits',
        ({ oldest }: EndpointStatus) => (oldest === undefined ? 0 : (Date.now() - oldest) / 1000),
      ],
    ] as const;
    for (const [name, help, valueOf] of gauges) {
      this.#register.registerMetric(
        new Gauge({
          name: `baleen_notifications_${name}`,
          help,
          labelNames: ['endpoint'],
          registers: [],
          collect() {
            this.reset();
            for (const each of read()) this.set({ endpoint: each.name }, valueOf(each));
          },
        }),
      );
    }
  }
}
