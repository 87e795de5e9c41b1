import { relative } from 'node:path';
import type { Catalog } from '../catalog/catalog.ts';
import type { RecordPlace } from '../catalog/record-files.ts';
import { RecordVerification, type RecordFault } from '../catalog/record-verification.ts';
import { Pace } from '../lib/pace.ts';
import { ticksWhile } from '../lib/ticks.ts';
import type { Digest } from '../oci/digest.ts';
import { fileId } from '../store/file-id.ts';
import type { BlobFile } from '../store/blob-files.ts';
import { blobRound } from '../store/blob-round.ts';
import type { Layout } from '../store/layout.ts';
import { findLeftovers, leftoverAge, removeLeftover } from '../store/leftovers.ts';
import type { Quarantine } from '../store/quarantine.ts';
import { describeVerdict, fileSize, verifyBlob, type BlobVerdict } from '../store/verification.ts';
import type { Withdraw } from '../store/withdraw.ts';
import { mendRecord } from './mend-record.ts';

export interface VerifyOptions {
  readonly layout: Layout;
  readonly catalog: Catalog;
  readonly quarantine: Pick<Quarantine, 'takeFile'>;
  readonly withdraw: Withdraw;
  /** What is to be read before all else; nothing where it is absent. */
  readonly first?: () => Promise<ReadonlySet<Digest>>;
  /** False where somebody else is at work on it, who would not notice; true where absent. */
  readonly mayRepair?: boolean;
  /**
   * Runs what changes a file of the record while nobody else changes it; at once where absent, as for
   * what an upstream can be asked for again.
   */
  readonly exclusively?: <T>(place: RecordPlace, work: () => Promise<T>) => Promise<T>;
}

export interface VerifyParameters {
  readonly repair: boolean;
  /** Bytes a second that are read at most; Infinity for as fast as it goes. */
  readonly rate: number;
}

type StepOfOne = 'blobs' | 'record' | 'leftovers';

/** What is verified, in this order: first what is cached, then the same for what was pushed. */
export type VerifyStep = StepOfOne | `hosted ${StepOfOne}`;

/**
 * What is wrong: bytes that are not those of the digest, a file that the disk cannot give back,
 * one that may not be read, one that does not belong there, a record that says nothing, or another
 * size than what is stored has, and what a crash left behind.
 */
export type ProblemKind =
  'wrong' | 'damaged' | 'unreadable' | 'foreign' | 'malformed' | 'mismatch' | 'leftover';

export interface Problem {
  readonly event: 'problem';
  readonly step: VerifyStep;
  readonly kind: ProblemKind;
  /** Relative to `<data>/v1`. */
  readonly file: string;
  readonly detail: string;
  /** What was done about it; undefined where nothing was. */
  readonly done?: 'quarantined' | 'mended' | 'removed';
}

/** How much was looked at. */
export interface Tally {
  files: number;
  bytes: number;
  problems: number;
  repaired: number;
}

/** What a verification tells while it goes on; the result comes last. */
export type VerifyEvent =
  | Problem
  | (Readonly<Tally> & { readonly event: 'progress'; readonly step: VerifyStep })
  | (Readonly<Tally> & {
      readonly event: 'step';
      readonly step: VerifyStep;
      readonly seconds: number;
    })
  | (Readonly<Tally> & { readonly event: 'result'; readonly seconds: number });

/** How often progress is told, in milliseconds. */
const interval = 1_000;

/**
 * Verifies all that is stored: every blob is hashed again, what is pinned first, and every file of the
 * record read. May run beside a running service, and beside others of its kind.
 */
export class Verification {
  readonly #options: VerifyOptions;
  readonly #parameters: VerifyParameters;
  readonly #signal: AbortSignal;
  readonly #pace: Pace;
  /** Blobs whose own size proves nothing. */
  readonly #suspect = new Set<Digest>();
  #tally = emptyTally();

  constructor(options: VerifyOptions, parameters: VerifyParameters, signal: AbortSignal) {
    this.#options = options;
    this.#parameters = parameters;
    this.#signal = signal;
    this.#pace = new Pace(parameters.rate);
  }

  /**
   * Runs it; call once.
   * @throws the file system's error for a folder that cannot be read, or the signal's reason
   */
  async *run(): AsyncGenerator<VerifyEvent, void, undefined> {
    const started = performance.now();
    const total = emptyTally();
    const steps = { blobs: this.#blobs(), record: this.#record(), leftovers: this.#leftovers() };
    for (const [step, events] of Object.entries(steps) as [StepOfOne, Events][]) {
      const stepStarted = performance.now();
      this.#tally = emptyTally();
      let told = stepStarted;
      for await (const problem of events) {
        if (problem !== undefined) yield { event: 'problem', step, ...problem };
        if (performance.now() - told < interval) continue;
        told = performance.now();
        yield { event: 'progress', step, ...this.#tally };
      }
      const tally = this.#tally;
      for (const key of Object.keys(total) as (keyof Tally)[]) total[key] += tally[key];
      yield { event: 'step', step, ...tally, seconds: secondsSince(stepStarted) };
    }
    yield { event: 'result', ...total, seconds: secondsSince(started) };
  }

  async *#blobs(): Events {
    const { layout, first } = this.#options;
    // What keeps them from being known is found with all the rest.
    const pinned = await first?.().catch(() => undefined);
    for await (const file of blobRound(layout, pinned ?? new Set())) {
      this.#tally.files++;
      if (file.digest === undefined) {
        yield this.#found('foreign', file.path, 'nothing that Baleen stores has such a name');
        continue;
      }
      const work = verifyBlob(file.path, file.digest, {
        pace: this.#pace,
        onBytes: (count) => (this.#tally.bytes += count),
        signal: this.#signal,
      });
      yield* ticksWhile(work, interval);
      yield await this.#judge(file, file.digest, await work);
    }
  }

  async #judge({ path }: BlobFile, digest: Digest, verdict: BlobVerdict): Promise<Found> {
    if (verdict.kind === 'good' || verdict.kind === 'gone') return undefined;
    this.#suspect.add(digest);
    const detail = describeVerdict(verdict);
    if (!this.#parameters.repair || verdict.kind === 'unreadable') {
      return this.#found(verdict.kind, path, detail);
    }
    const { file } = verdict;
    const isTaken = await this.#options.withdraw({ digest, finder: 'verify', detail, file });
    if (isTaken) return this.#found(verdict.kind, path, detail, 'quarantined');
    // Evicted or replaced in the last moment; else it could not be moved.
    const now = await fileId(path).catch(() => file);
    const isStillThere = now !== undefined && (file === undefined || now === file);
    return isStillThere ? this.#found(verdict.kind, path, detail) : undefined;
  }

  async *#record(): Events {
    const { layout } = this.#options;
    const sizeOf = async (digest: Digest): Promise<number | undefined> =>
      this.#suspect.has(digest) ? undefined : fileSize(layout.blob(digest));
    const verification = new RecordVerification({ directory: layout.root, sizeOf });
    for await (const fault of verification.run()) {
      this.#signal.throwIfAborted();
      this.#tally.files++;
      yield fault && (await this.#repairRecord(fault, verification));
    }
  }

  async #repairRecord(fault: RecordFault, verification: RecordVerification): Promise<Found> {
    const { kind, path, detail } = fault;
    const { quarantine } = this.#options;
    if (this.#parameters.repair && kind === 'malformed') {
      const isTaken = await this.#exclusively(fault.place, async () => {
        // Somebody may have written it anew.
        const isStill = (await verification.check(fault))?.kind === 'malformed';
        return isStill && quarantine.takeFile(path);
      });
      return isTaken ? this.#found(kind, path, detail, 'quarantined') : undefined;
    }
    if (this.#parameters.repair && kind === 'mismatch') {
      return this.#repairSize(fault);
    }
    return this.#found(kind, path, detail);
  }

  /**
   * The file may have been cut short since it was hashed: with its size on record it would count as
   * whole. So its bytes decide which of the two is wrong.
   */
  async #repairSize(fault: Extract<RecordFault, { kind: 'mismatch' }>): Promise<Found> {
    const { kind, path, place, digest, detail } = fault;
    const file = this.#options.layout.blob(digest);
    const options = { pace: this.#pace, onBytes: () => undefined, signal: this.#signal };
    const verdict = await verifyBlob(file, digest, options);
    if (verdict.kind !== 'good') {
      const name = relative(this.#options.layout.blobs, file);
      return this.#judge({ path: file, name, digest }, digest, verdict);
    }
    const { size } = verdict;
    await this.#exclusively(place, () =>
      mendRecord(this.#options.catalog, place, { digest, size }),
    );
    return this.#found(kind, path, detail, 'mended');
  }

  #exclusively<T>(place: RecordPlace, work: () => Promise<T>): Promise<T> {
    return this.#options.exclusively?.(place, work) ?? work();
  }

  async *#leftovers(): Events {
    const before = Date.now() - leftoverAge;
    for await (const { path, kind } of findLeftovers(this.#options.layout, before)) {
      this.#tally.files++;
      if (this.#parameters.repair) await removeLeftover(path);
      const detail = `a ${kind} that a crash left behind`;
      yield this.#found('leftover', path, detail, this.#parameters.repair ? 'removed' : undefined);
    }
  }

  #found(kind: ProblemKind, path: string, detail: string, done?: Problem['done']): Found {
    this.#tally.problems++;
    if (done !== undefined) this.#tally.repaired++;
    const file = relative(this.#options.layout.root, path);
    return { kind, file, detail, ...(done === undefined ? {} : { done }) };
  }
}

/** What was found wrong with the file just looked at, if anything was. */
type Found = Omit<Problem, 'event' | 'step'> | undefined | void;
type Events = AsyncGenerator<Found>;

function emptyTally(): Tally {
  return { files: 0, bytes: 0, problems: 0, repaired: 0 };
}

function secondsSince(started: number): number {
  return Math.round(performance.now() - started) / 1000;
}
