import { Counter, Gauge, type Registry } from 'prom-client';
import type { RunResult } from '../warm/run-report.ts';
import type { ScheduleStatus } from '../warm/schedule.ts';
import type { ImageResult } from '../warm/warm-event.ts';
import { BoundedLabel } from './bounded-label.ts';

/** What may become of a run. */
type Outcome = RunResult | 'interrupted' | 'skipped';

/** Counts what schedules do, and tells how they stand. */
export class ScheduleMetrics {
  readonly #register: Registry;
  readonly #runs: Counter<'schedule' | 'result'>;
  readonly #images: Counter<'schedule' | 'result'>;
  readonly #bytes: Counter<'schedule'>;
  readonly #recordFailures: Counter;
  readonly #schedules = new BoundedLabel(100);

  constructor(register: Registry) {
    this.#register = register;
    const registers = [register];
    this.#runs = new Counter({
      name: 'baleen_warm_schedule_runs_total',
      help: 'Runs of warm.schedules and warm.observed, by result: completed, incomplete (images failed), failed, interrupted, or skipped while the last one went on',
      labelNames: ['schedule', 'result'],
      registers,
    });
    this.#images = new Counter({
      name: 'baleen_warm_schedule_images_total',
      help: 'Images of scheduled runs, by result: warmed, present, failed',
      labelNames: ['schedule', 'result'],
      registers,
    });
    this.#bytes = new Counter({
      name: 'baleen_warm_schedule_fetched_bytes_total',
      help: 'Bytes of blobs that scheduled runs have fetched',
      labelNames: ['schedule'],
      registers,
    });
    this.#recordFailures = new Counter({
      name: 'baleen_warm_record_failures_total',
      help: 'Times that what schedules did, or what clients pull most, could not be written down or read',
      registers,
    });
  }

  run(schedule: string, result: Outcome): void {
    this.#runs.inc({ schedule: this.#schedules.of(schedule), result });
  }

  image(schedule: string, result: ImageResult, fetchedBytes: number): void {
    const label = this.#schedules.of(schedule);
    this.#images.inc({ schedule: label, result });
    this.#bytes.inc({ schedule: label }, fetchedBytes);
  }

  recordFailed(): void {
    this.#recordFailures.inc();
  }

  /** Where to ask how the schedules stand, whenever metrics are collected. */
  observe(read: () => readonly ScheduleStatus[]): void {
    const gauges = [
      [
        'last_success_timestamp_seconds',
        'When a run last ended with all that was wanted; 0 where none has',
        ({ last_success_at }: ScheduleStatus) => seconds(last_success_at),
      ],
      [
        'last_duration_seconds',
        'How long the last run took that has ended',
        ({ last }: ScheduleStatus) => last?.seconds ?? 0,
      ],
      [
        'last_failed_images',
        'Images that failed in the last run that has ended',
        ({ last }: ScheduleStatus) => last?.failed ?? 0,
      ],
      [
        'next_due_timestamp_seconds',
        'When the next run is due',
        ({ next_due }: ScheduleStatus) => seconds(next_due),
      ],
      [
        'running',
        'Whether a run goes on: 1, else 0',
        ({ state }: ScheduleStatus) => (state === 'running' ? 1 : 0),
      ],
    ] as const;
    for (const [name, help, valueOf] of gauges) {
      this.#register.registerMetric(
        new Gauge({
          name: `baleen_warm_schedule_${name}`,
          help,
          labelNames: ['schedule'],
          registers: [],
          collect() {
            this.reset();
            for (const each of read()) this.set({ schedule: each.name }, valueOf(each));
          },
        }),
      );
    }
  }
}

/** Since the epoch; 0 for never. */
function seconds(at: string | null): number {
  return at === null ? 0 : Date.parse(at) / 1000;
}
