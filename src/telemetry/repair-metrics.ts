import { Counter, Gauge, type Registry } from 'prom-client';

/** What finds a stored blob wrong; has the shape of `Finder` in `store`. */
const finders = ['scrub', 'verify', 'serving'] as const;

/** Counts what is verified, and what is found wrong. */
export class RepairMetrics {
  readonly #quarantined: Counter<'finder'>;
  readonly #scrubbedBytes: Counter;
  readonly #scrubbedBlobs: Counter;
  readonly #scrubFailures: Counter;
  readonly #passEndedAt: Gauge;

  constructor(register: Registry) {
    const registers = [register];
    this.#quarantined = new Counter({
      name: 'baleen_quarantined_blobs_total',
      help: 'Stored blobs that were wrong and were taken out of service, by what found them: scrub, verify, serving',
      labelNames: ['finder'],
      registers,
    });
    for (const finder of finders) this.#quarantined.inc({ finder }, 0);
    this.#scrubbedBytes = new Counter({
      name: 'baleen_scrub_bytes_total',
      help: 'Bytes of stored blobs that the scrub has hashed again',
      registers,
    });
    this.#scrubbedBlobs = new Counter({
      name: 'baleen_scrub_blobs_total',
      help: 'Stored blobs that the scrub has hashed again',
      registers,
    });
    this.#scrubFailures = new Counter({
      name: 'baleen_scrub_failures_total',
      help: 'Blobs or folders that the scrub was not let read',
      registers,
    });
    this.#passEndedAt = new Gauge({
      name: 'baleen_scrub_last_pass_timestamp_seconds',
      help: 'When the scrub last came to the end of all blobs; 0 where it has not since the start',
      registers,
    });
  }

  quarantined(finder: (typeof finders)[number]): void {
    this.#quarantined.inc({ finder });
  }

  scrubRead(bytes: number): void {
    this.#scrubbedBytes.inc(bytes);
  }

  scrubVerified(): void {
    this.#scrubbedBlobs.inc();
  }

  scrubFailed(): void {
    this.#scrubFailures.inc();
  }

  /** @param at milliseconds since the epoch */
  scrubPassEnded(at: number): void {
    this.#passEndedAt.set(at / 1000);
  }
}
