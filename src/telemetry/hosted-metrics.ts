import { Counter, Gauge, type Registry } from 'prom-client';

/** How an upload may end; has the shape of `UploadResult` in `hosted`. */
const uploadResults = ['finished', 'cancelled', 'expired', 'digest', 'size', 'disk'] as const;

/** What may come of a wish to mount; has the shape of `MountResult` in `hosted`. */
const mountResults = ['hosted', 'cached', 'none'] as const;

/** How much is hosted, and on its way. In bytes, but for the counts. */
export interface HostedFigures {
  readonly bytes: number;
  readonly blobs: number;
  /** Uploads that are open. */
  readonly uploads: number;
  readonly uploadBytes: number;
}

/** Counts what is pushed. */
export class HostedMetrics {
  readonly #register: Registry;
  readonly #received: Counter;
  readonly #uploads: Counter<'result'>;
  readonly #mounts: Counter<'source'>;
  readonly #lost: Counter;
  readonly #scrubbedAt: Gauge;

  constructor(register: Registry) {
    this.#register = register;
    const registers = [register];
    this.#received = new Counter({
      name: 'baleen_hosted_received_bytes_total',
      help: 'Bytes of blobs that clients have pushed',
      registers,
    });
    this.#uploads = new Counter({
      name: 'baleen_hosted_uploads_total',
      help: 'Uploads of blobs that have ended, by result: finished, cancelled (by the client), expired, or failed: digest (other bytes than announced), size (too large), disk',
      labelNames: ['result'],
      registers,
    });
    for (const result of uploadResults) this.#uploads.inc({ result }, 0);
    this.#mounts = new Counter({
      name: 'baleen_hosted_mounts_total',
      help: 'Wishes to mount a blob of another repository, by where it came from: hosted, cached, or none (it has to be uploaded)',
      labelNames: ['source'],
      registers,
    });
    for (const source of mountResults) this.#mounts.inc({ source }, 0);
    this.#lost = new Counter({
      name: 'baleen_hosted_lost_manifests_total',
      help: 'Requests for manifests that were pushed, and whose file is missing or damaged',
      registers,
    });
    this.#scrubbedAt = new Gauge({
      name: 'baleen_hosted_scrub_last_pass_timestamp_seconds',
      help: 'When the scrub last came to the end of all that was pushed; 0 where it has not since the start',
      registers,
    });
  }

  /** @param at milliseconds since the epoch */
  scrubPassEnded(at: number): void {
    this.#scrubbedAt.set(at / 1000);
  }

  manifestLost(): void {
    this.#lost.inc();
  }

  received(bytes: number): void {
    this.#received.inc(bytes);
  }

  uploadEnded(result: (typeof uploadResults)[number]): void {
    this.#uploads.inc({ result });
  }

  mounted(source: (typeof mountResults)[number]): void {
    this.#mounts.inc({ source });
  }

  /** Where to ask how much is hosted, whenever metrics are collected. */
  observe(read: () => HostedFigures): void {
    this.#gauge('baleen_hosted_bytes', 'Bytes of all blobs that were pushed', () => read().bytes);
    this.#gauge(
      'baleen_hosted_blobs',
      'Blobs that were pushed, manifests included',
      () => read().blobs,
    );
    this.#gauge(
      'baleen_hosted_uploads_open',
      'Uploads of blobs that have begun and not ended, also where no client is at it now',
      () => read().uploads,
    );
    this.#gauge(
      'baleen_hosted_upload_bytes',
      'Bytes that these have on the disk',
      () => read().uploadBytes,
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
