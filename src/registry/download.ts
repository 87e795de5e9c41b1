import { setTimeout as delay } from 'node:timers/promises';
import type { BufferPool } from '../lib/buffer-pool.ts';
import { RegistryError, toRegistryError } from '../oci/errors.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { BlobWriter } from '../store/blob-writer.ts';
import { diskStateOf } from '../store/disk-health.ts';
import type { FetchedBlob } from '../upstream/upstream.ts';
import { chunkBatches, lengthOf, withoutFirst } from './chunk-batches.ts';
import type { DownloadSource } from './download-source.ts';
import { GrowingBlob } from './growing-blob.ts';
import { HoldBack } from './hold-back.ts';
import { fits, isProgress, pauseAfter, refusesRange } from './resume.ts';

/*
 * One upstream transfer of one blob, with any number of live readers.
 *
 *   opening    no answer yet; nobody knows whether there will be one
 *   streaming  headers are in; the spool grows, readers follow it
 *   verified   all bytes are there and have the right digest; readers get the withheld ones
 *   committed  durable in the store
 *   failed     given up; what was spooled stays for the next attempt, unless it is wrong
 *
 * The fill's pace is the upstream's and the disk's; readers read the spool at their own, so no
 * client can slow another down, and none is needed for the fill to go on. The last bytes stay
 * invisible until the digest is known to be right: a client may see a broken connection, never a
 * finished response with a wrong byte in it.
 *
 * Where the disk or the store's limit refuses, the rest passes through memory to the readers and is not kept.
 *
 * A transfer that breaks is taken up again at the byte where it broke, through a fresh registry
 * URL (signed ones expire), as long as it gets anywhere.
 */

/** The state of a download, by name. */
export type DownloadState = 'opening' | 'streaming' | 'verified' | 'committed' | 'failed';

/** What a download tells the one who started it. */
export interface DownloadEvents {
  /** The last reader has left a running fill. */
  idle(download: Download): void;
  /** Bytes came from the upstream. */
  received(download: Download, bytes: number): void;
  /** The fill has ended, well or not. */
  ended(download: Download): void;
}

/** A blob on its way from an upstream into the store. */
export class Download {
  readonly digest: Digest;
  readonly source: DownloadSource;
  /** What its readers see. */
  readonly blob: GrowingBlob;
  /** Settles when the upstream has answered: the size is known where it tells; or rejects. */
  readonly ready: Promise<void>;
  /** Settles when the fill has ended; never rejects. */
  readonly ended: Promise<void>;

  readonly #store: BlobStore;
  readonly #events: DownloadEvents;
  readonly #abort = new AbortController();
  #markReady!: () => void;
  #failReady!: (error: RegistryError) => void;
  #state: DownloadState = 'opening';
  #failure: RegistryError | undefined;
  #recorded: Promise<void> | undefined;
  /** What readers were promised cannot come true: no further attempt will help them. */
  #isContradicted = false;
  #received = 0;
  #found = 0;
  readonly #hold: HoldBack | undefined;

  /** Starts at once. */
  constructor(
    digest: Digest,
    source: DownloadSource,
    store: BlobStore,
    pool: BufferPool,
    events: DownloadEvents,
  ) {
    this.digest = digest;
    this.source = source;
    this.#store = store;
    this.#events = events;
    this.#hold = source.pace && new HoldBack(source.pace);
    this.blob = new GrowingBlob(pool, () => events.idle(this));
    this.ready = new Promise((resolve, reject) => {
      this.#markReady = resolve;
      this.#failReady = reject;
    });
    // Whoever asked may have left by the time it fails; `failure` still tells.
    this.ready.catch(() => undefined);
    this.ended = this.#run();
  }

  get state(): DownloadState {
    return this.#state;
  }

  /** Why it failed; also set where a verified blob could not be committed. */
  get failure(): RegistryError | undefined {
    return this.#failure;
  }

  /** Bytes that came from the upstream. */
  get received(): number {
    return this.#received;
  }

  /** Bytes that an earlier process had left in the spool. */
  get found(): number {
    return this.#found;
  }

  /** From now on nothing but the upstream and the disk sets its pace. */
  hurry(): void {
    this.#hold?.release();
  }

  /** It was given up, and is about to end. */
  get isCancelled(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Gives the transfer up; the spool stays for the next one. */
  cancel(reason: RegistryError): void {
    this.#abort.abort(reason);
  }

  async #run(): Promise<void> {
    let writer: BlobWriter | undefined;
    try {
      writer = await this.#store.create(this.digest, this.#abort.signal);
      this.blob.open(writer);
      await this.#fill(writer);
      await this.#finish(writer);
      await this.#recorded;
    } catch (error) {
      // What a full disk holds of it would only keep the disk full.
      if (diskStateOf(error) === 'full') await writer?.discard().catch(() => undefined);
      this.#fail(toRegistryError(error));
    }
    // In this order, and at once: nobody may join a download whose spool is about to close.
    this.#events.ended(this);
    this.blob.writerDone();
  }

  async #fill(writer: BlobWriter): Promise<void> {
    const { signal } = this.#abort;
    if (await this.#isAllSpooled(writer)) return;
    let asksForRest = true;
    let failures = 0;
    let lastProgress = performance.now();
    for (;;) {
      const before = writer.offset;
      try {
        const resume =
          before > 0 && asksForRest ? { offset: before, etag: writer.origin.etag } : undefined;
        const { upstream, repository } = this.source;
        const fetched = await upstream.fetchBlob(repository, this.digest, resume, signal);
        await this.#accept(fetched, writer);
        await this.#pump(fetched, writer);
        if (this.blob.size === undefined || writer.offset === this.blob.size) return;
        throw new RegistryError('UPSTREAM_UNAVAILABLE', 'the upstream ended the blob early');
      } catch (error) {
        signal.throwIfAborted();
        // Perhaps it is the range that is refused: then the whole is asked for, and skipped into.
        asksForRest = !(before > 0 && asksForRest && refusesRange(error));
        if (this.#state === 'opening') {
          if (asksForRest) throw error;
          continue;
        }
        if (isProgress(writer.offset - before, error)) {
          lastProgress = performance.now();
          failures = 0;
        }
        const pause = pauseAfter(error, ++failures);
        const stalled = performance.now() - lastProgress;
        const isHopeless = pause === undefined || this.#isContradicted;
        if (isHopeless || stalled + pause > this.source.patience) throw error;
        await delay(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    }
  }

  /** A crash between the last byte and the commit leaves a whole spool; the upstream is only asked whether it has the blob. */
  async #isAllSpooled(writer: BlobWriter): Promise<boolean> {
    if (writer.offset === 0 || writer.offset !== writer.origin.size) return false;
    const { upstream, repository } = this.source;
    await upstream.statBlob(repository, this.digest, this.#abort.signal);
    this.#announce(writer, writer.offset);
    return true;
  }

  /** Takes the headers of an answer: the size must agree with what readers were promised. */
  async #accept(fetched: FetchedBlob, writer: BlobWriter): Promise<void> {
    let known = this.blob.size ?? writer.origin.size;
    try {
      if (fetched.size !== undefined && !fits(fetched.size, known, writer.offset)) {
        // Of an old spool nobody has seen a byte yet.
        if (this.#state !== 'opening' || fetched.offset > 0) {
          throw this.#contradiction('the upstream changed the size of a blob');
        }
        await writer.restart();
        known = undefined;
      }
      const size = known ?? fetched.size;
      await writer.setOrigin({ size, etag: fetched.etag });
      if (this.#state === 'opening') this.#announce(writer, size);
    } catch (error) {
      fetched.body.destroy();
      throw error;
    }
  }

  #contradiction(message: string): RegistryError {
    this.#isContradicted = this.#state !== 'opening';
    return new RegistryError('UPSTREAM_INVALID', message);
  }

  #announce(writer: BlobWriter, size: number | undefined): void {
    this.#state = 'streaming';
    this.#found = writer.offset;
    this.blob.announce(size, writer.offset);
    this.#recorded = this.source.accepted(size);
    this.#markReady();
  }

  async #pump(fetched: FetchedBlob, writer: BlobWriter): Promise<void> {
    // A registry that ignores the range starts over; the bytes at hand are skipped, and the
    // digest decides whether the two halves belong together.
    let skip = writer.offset - fetched.offset;
    for await (const batch of chunkBatches(fetched.body)) {
      const received = lengthOf(batch);
      this.#received += received;
      this.#events.received(this, received);
      const fresh = skip > 0 ? withoutFirst(batch, skip) : batch;
      skip = Math.max(0, skip - received);
      if (fresh.length === 0) continue;
      if (this.blob.size !== undefined && writer.offset + lengthOf(fresh) > this.blob.size) {
        throw this.#contradiction('the upstream sent more than it announced');
      }
      await writer.write(fresh);
      this.blob.grew(fresh, writer.offset);
      if (!writer.isKept) this.#passOn();
      if (this.#hold !== undefined) await this.#hold.take(received, this.#abort.signal);
    }
  }

  /** Nothing more is kept: the transfer is of use only to those who read along. */
  #passOn(): void {
    if (this.blob.readers > 0) return;
    this.cancel(new RegistryError('UNAVAILABLE', 'the blob is not kept, and nobody reads it'));
  }

  async #finish(writer: BlobWriter): Promise<void> {
    if (!writer.verify()) {
      await writer.discard();
      throw new RegistryError('UPSTREAM_INVALID', 'the upstream sent bytes of another digest');
    }
    this.#state = 'verified';
    const wasToldSize = this.blob.size !== undefined;
    this.blob.complete(writer.offset);
    await writer.commit();
    this.#state = 'committed';
    if (wasToldSize) return;
    await this.#recorded;
    this.#recorded = this.source.accepted(writer.offset);
  }

  #fail(failure: RegistryError): void {
    this.#failure = failure;
    // After the verification the readers get every byte, whatever became of the commit.
    if (this.#state === 'verified') return;
    this.#state = 'failed';
    this.#failReady(failure);
    this.blob.fail(failure);
  }
}
