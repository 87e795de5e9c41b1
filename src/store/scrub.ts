import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import type { Pace } from '../lib/pace.ts';
import type { Digest } from '../oci/digest.ts';
import { blobRound } from './blob-round.ts';
import type { Layout } from './layout.ts';
import { dueIn, newPass, parsePass, weightOf, type ScrubPass } from './scrub-pass.ts';
import { describeVerdict, verifyBlob } from './verification.ts';
import type { Withdraw } from './withdraw.ts';

export interface ScrubOptions {
  readonly layout: Layout;
  /** Milliseconds in which every blob is read about once. */
  readonly interval: number;
  /** How fast files may be read. */
  readonly pace: Pace;
  /** What is stored, as far as it is known. */
  readonly usage: { readonly bytes: number; readonly blobs: number };
  readonly withdraw: Withdraw;
  /** What is to be read before all else in each round. May reject. */
  readonly first: () => Promise<ReadonlySet<Digest>>;
  readonly observer: ScrubObserver;
}

/** Told of what the scrub does. */
export interface ScrubObserver {
  /** Bytes were read and hashed. */
  read(bytes: number): void;
  /** A blob was read to its end. */
  verified(): void;
  /** A blob or the pins could not be read, or a folder not be listed; the scrub goes on. */
  failed(name: string, error: unknown): void;
  /** All blobs have been read. */
  passEnded(at: number): void;
}

/** The longest wait before looking at the store's size again, in milliseconds. */
const longestWait = 60_000;

/** How often it is noted how far the pass has come, in milliseconds. */
const noteInterval = 30_000;

/**
 * Reads every blob about once in the interval, behind all else: one file at a time, in small steps,
 * no faster than the rate, and first what is pinned. What is wrong is taken out of service before anybody asks for it.
 */
export class Scrub {
  readonly #options: ScrubOptions;
  readonly #cursor: string;
  #pass: ScrubPass = newPass(0);
  #notedAt = 0;

  constructor(options: ScrubOptions) {
    this.#options = options;
    this.#cursor = join(options.layout.root, 'scrub.json');
  }

  /** Runs until the signal says stop; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const text = await readFile(this.#cursor, 'utf8').catch(() => '');
    this.#pass = parsePass(text, Date.now()) ?? newPass(Date.now());
    while (!signal.aborted) {
      try {
        await this.#readOn(signal);
        await this.#endPass(signal);
      } catch (error) {
        if (signal.aborted) break;
        this.#options.observer.failed('blobs', error);
        await delay(longestWait, undefined, { signal }).catch(() => undefined);
      }
    }
    await this.#note(true);
  }

  async #readOn(signal: AbortSignal): Promise<void> {
    const first = await this.#first();
    for await (const file of blobRound(this.#options.layout, first, this.#pass)) {
      const { path, name, digest, isFirst } = file;
      if (digest === undefined) continue;
      await this.#untilDue(signal);
      const size = await this.#verify(path, name, digest, signal);
      const place = isFirst ? { first: name } : { after: name };
      this.#pass = { ...this.#pass, ...place, done: this.#pass.done + weightOf(size, 1) };
      await this.#note(false);
    }
  }

  /** Without them the others are read all the same. */
  async #first(): Promise<ReadonlySet<Digest>> {
    try {
      return await this.#options.first();
    } catch (error) {
      this.#options.observer.failed('pins', error);
      return new Set();
    }
  }

  /** Gives the bytes read. */
  async #verify(path: string, name: string, digest: Digest, signal: AbortSignal): Promise<number> {
    const { observer, withdraw, pace } = this.#options;
    let size = 0;
    const onBytes = (count: number): void => {
      size += count;
      observer.read(count);
    };
    const verdict = await verifyBlob(path, digest, { pace, onBytes, signal });
    if (verdict.kind === 'good' || verdict.kind === 'wrong') observer.verified();
    if (verdict.kind === 'unreadable') observer.failed(name, verdict.error);
    if (verdict.kind === 'wrong' || verdict.kind === 'damaged') {
      const detail = describeVerdict(verdict);
      await withdraw({ digest, finder: 'scrub', detail, file: verdict.file });
    }
    return size;
  }

  async #untilDue(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const { interval, usage } = this.#options;
      const total = weightOf(usage.bytes, usage.blobs);
      const wait = dueIn(this.#pass, total, interval, Date.now());
      if (wait === 0) return;
      await delay(Math.min(wait, longestWait), undefined, { signal });
    }
  }

  /** Tells that all is read, and waits for the time of the next pass. */
  async #endPass(signal: AbortSignal): Promise<void> {
    const { observer, interval } = this.#options;
    observer.passEnded(Date.now());
    const next = this.#pass.startedAt + interval;
    while (Date.now() < next) {
      await delay(Math.min(next - Date.now(), longestWait), undefined, { signal });
    }
    this.#pass = newPass(Date.now());
    await this.#note(true);
  }

  /** A failing disk costs no more than reading some blobs again after a restart. */
  async #note(isUrgent: boolean): Promise<void> {
    if (!isUrgent && Date.now() - this.#notedAt < noteInterval) return;
    this.#notedAt = Date.now();
    const { temporary } = this.#options.layout;
    await writeFileAtomic(this.#cursor, `${JSON.stringify(this.#pass)}\n`, {
      tmpDir: temporary,
      durable: false,
    }).catch(() => undefined);
  }
}
