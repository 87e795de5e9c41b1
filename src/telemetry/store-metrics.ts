import { Counter, Gauge, type Registry } from 'prom-client';

/** Every state that the disk can be in. */
const diskStates = ['ok', 'full', 'read-only', 'failing', 'descriptors'];

/** How much the store holds, and may. All in bytes, but for `blobs`. */
export interface StoreFigures {
  readonly bytes: number;
  readonly blobs: number;
  readonly spooled: number;
  /** Undefined for as much as the disk takes. */
  readonly limit: number | undefined;
}

/** Counts what the store does on its own, and how the disk is. */
export class StoreMetrics {
  readonly #register: Registry;
  readonly #evictedBlobs: Counter<'reason'>;
  readonly #evictedBytes: Counter<'reason'>;
  readonly #failures: Counter<'operation'>;
  readonly #disk: Gauge<'state'>;

  constructor(register: Registry) {
    this.#register = register;
    const registers = [register];
    this.#evictedBlobs = new Counter({
      name: 'baleen_store_evicted_blobs_total',
      help: 'Blobs removed to make room (size, disk-full), or because nobody used them (unused)',
      labelNames: ['reason'],
      registers,
    });
    this.#evictedBytes = new Counter({
      name: 'baleen_store_evicted_bytes_total',
      help: 'Bytes of blobs and partial downloads removed, by reason',
      labelNames: ['reason'],
      registers,
    });
    this.#failures = new Counter({
      name: 'baleen_disk_failures_total',
      help: 'Times that the disk refused, by what it was asked for',
      labelNames: ['operation'],
      registers,
    });
    this.#disk = new Gauge({
      name: 'baleen_disk_state',
      help: '1 for the state that the disk is in, 0 for all others',
      labelNames: ['state'],
      registers,
    });
    this.disk('ok');
  }

  evicted(reason: string, blobs: number, bytes: number): void {
    this.#evictedBlobs.inc({ reason }, blobs);
    this.#evictedBytes.inc({ reason }, bytes);
  }

  diskFailed(operation: string): void {
    this.#failures.inc({ operation });
  }

  disk(state: string): void {
    for (const each of diskStates) this.#disk.set({ state: each }, each === state ? 1 : 0);
  }

  /** Where to ask how much the store holds. */
  observe(read: () => StoreFigures): void {
    this.#gauge('baleen_store_bytes', 'Bytes of all committed blobs', () => read().bytes);
    this.#gauge('baleen_store_blobs', 'Committed blobs, manifests included', () => read().blobs);
    this.#gauge(
      'baleen_spool_bytes',
      'Bytes of downloads that are running or were left, those still to come included',
      () => read().spooled,
    );
    this.#gauge(
      'baleen_store_limit_bytes',
      'storage.max_size; 0 where there is none',
      () => read().limit ?? 0,
    );
  }

  #gauge(name: string, help: string, read: () => number): void {
    this.#register.registerMetric(
      new Gauge({
        name,
        help,
        registers: [],
        collect() {
          this.set(read());
        },
      }),
    );
  }
}
