import type { BufferPool } from '../lib/buffer-pool.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { DownloadSource } from './download-source.ts';
import { Download } from './download.ts';

/** Told of what downloads do; for logs and metrics. */
export interface DownloadObserver {
  /** Bytes came from the upstream. */
  received(download: Download, bytes: number): void;
  /** The fill has ended, well or not. */
  downloadEnded(download: Download): void;
}

export interface DownloadsOptions {
  readonly store: BlobStore;
  /** Memory for what readers of running downloads read. */
  readonly pool: BufferPool;
  readonly observer: DownloadObserver;
  /** Whether a fill goes on when its last reader has left. */
  readonly continueWithoutReaders: boolean;
}

/** The downloads in flight: at most one a digest, while the disk takes what comes. */
export class Downloads {
  readonly #options: DownloadsOptions;
  readonly #running = new Set<Download>();
  /** Of those, the one of each digest that new readers may join. */
  readonly #open = new Map<Digest, Download>();
  #ended = 0;

  constructor(options: DownloadsOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#running.size;
  }

  /** Readers of all downloads in flight. */
  get readers(): number {
    let sum = 0;
    for (const { blob } of this.#running) sum += blob.readers;
    return sum;
  }

  /** Grows with every download that ends: who looked into the store before should look again. */
  get ended(): number {
    return this.#ended;
  }

  /**
   * The running download of a digest that can be read from its first byte, if there is one. What
   * the disk did not take, and its readers have had, is gone.
   */
  running(digest: Digest): Download | undefined {
    const download = this.#open.get(digest);
    return download?.blob.isWhole === true ? download : undefined;
  }

  /** Whether a running download gets its bytes from this upstream. */
  uses(upstream: Upstream): boolean {
    return [...this.#running.values()].some(({ source }) => source.upstream === upstream);
  }

  /** Starts a download; the caller has seen that none is running. */
  start(digest: Digest, source: DownloadSource): Download {
    const download = new Download(digest, source, this.#options.store, this.#options.pool, {
      idle: (idle) => {
        const goesOn = this.#options.continueWithoutReaders && idle.blob.isKept;
        if (goesOn || idle.state === 'verified') return;
        idle.cancel(new RegistryError('UNAVAILABLE', 'every client of the download has left'));
      },
      received: (from, bytes) => this.#options.observer.received(from, bytes),
      ended: (ended) => {
        this.#running.delete(ended);
        if (this.#open.get(digest) === ended) this.#open.delete(digest);
        this.#ended++;
        this.#options.observer.downloadEnded(ended);
      },
    });
    this.#running.add(download);
    this.#open.set(digest, download);
    return download;
  }

  /** Gives up all that is running; their spools are kept for the next start. */
  async stop(): Promise<void> {
    const reason = new RegistryError('UNAVAILABLE', 'the server is shutting down');
    const running = [...this.#running];
    for (const download of running) download.cancel(reason);
    await Promise.all(running.map(({ ended }) => ended));
  }
}
