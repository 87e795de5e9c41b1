import { Counter, Gauge, type Registry } from 'prom-client';

/** What a collection of what was pushed came to; has the shape of `CollectionReport` in `hosted`. */
interface Collected {
  readonly tags: readonly unknown[];
  readonly manifests: readonly unknown[];
  readonly blobs: number;
  readonly bytes: number;
  readonly skipped: readonly unknown[];
}

/** Counts what is removed of what was pushed. */
export class HostedGcMetrics {
  readonly #runs: Counter<'result'>;
  readonly #removed: Counter<'kind'>;
  readonly #bytes: Counter;
  readonly #skipped: Gauge;
  readonly #endedAt: Gauge;
  readonly #seconds: Gauge;

  constructor(register: Registry) {
    const registers = [register];
    this.#runs = new Counter({
      name: 'baleen_hosted_gc_runs_total',
      help: 'Garbage collections of what was pushed, by result: completed or failed',
      labelNames: ['result'],
      registers,
    });
    for (const result of ['completed', 'failed']) this.#runs.inc({ result }, 0);
    this.#removed = new Counter({
      name: 'baleen_hosted_gc_removed_total',
      help: 'What garbage collection has removed: tags, manifests, and blobs (files, manifests included)',
      labelNames: ['kind'],
      registers,
    });
    for (const kind of ['tags', 'manifests', 'blobs']) this.#removed.inc({ kind }, 0);
    this.#bytes = new Counter({
      name: 'baleen_hosted_gc_removed_bytes_total',
      help: 'Bytes of pushed content that garbage collection has removed',
      registers,
    });
    this.#skipped = new Gauge({
      name: 'baleen_hosted_gc_skipped_repositories',
      help: 'Repositories of which the last collection removed nothing, since something there cannot be read',
      registers,
    });
    this.#endedAt = new Gauge({
      name: 'baleen_hosted_gc_last_completed_timestamp_seconds',
      help: 'When a collection was last completed; 0 where none was since the start',
      registers,
    });
    this.#seconds = new Gauge({
      name: 'baleen_hosted_gc_last_duration_seconds',
      help: 'How long the last completed collection took',
      registers,
    });
  }

  completed({ tags, manifests, blobs, bytes, skipped }: Collected, seconds: number): void {
    this.#runs.inc({ result: 'completed' });
    this.#removed.inc({ kind: 'tags' }, tags.length);
    this.#removed.inc({ kind: 'manifests' }, manifests.length);
    this.#removed.inc({ kind: 'blobs' }, blobs);
    this.#bytes.inc(bytes);
    this.#skipped.set(skipped.length);
    this.#endedAt.setToCurrentTime();
    this.#seconds.set(seconds);
  }

  failed(): void {
    this.#runs.inc({ result: 'failed' });
  }
}
