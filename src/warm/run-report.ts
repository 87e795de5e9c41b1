import type { RegistryError } from '../oci/errors.ts';
import type { WarmEvent } from './warm-event.ts';

/** What became of a schedule's run. */
export type RunResult =
  /** All that was wanted is there. */
  | 'completed'
  /** Some images failed. */
  | 'incomplete'
  /** It could not be done at all. */
  | 'failed';

/** An image that a run could not warm. */
export interface ImageFailure {
  readonly image: string;
  readonly code: string;
  readonly message: string;
}

/** A run that has ended, as it is written down and told of. Times are ISO 8601, in UTC. */
export interface RunReport {
  readonly started_at: string;
  readonly ended_at: string;
  readonly seconds: number;
  readonly result: RunResult;
  /** Done, those that failed included. */
  readonly images: number;
  readonly failed: number;
  readonly fetched_bytes: number;
  readonly fetched_blobs: number;
  readonly present_bytes: number;
  readonly present_blobs: number;
  /** The first of them. */
  readonly failures: readonly ImageFailure[];
  /** Why it failed as a whole. */
  readonly code?: string;
  readonly message?: string;
}

/** How far a run has come. */
export interface RunProgress {
  readonly started_at: string;
  readonly bytes: number;
  readonly total: number;
  readonly images_done: number;
  readonly images: number;
}

/** As many failures as somebody would read. */
const mostFailures = 50;

/** Adds up what a warmer tells of one run. */
export class RunTally {
  readonly #startedAt: number;
  readonly #failures: ImageFailure[] = [];
  #images = 0;
  #failed = 0;
  #progress = { bytes: 0, total: 0, images_done: 0, images: 0 };
  #totals = { fetched_bytes: 0, fetched_blobs: 0, present_bytes: 0, present_blobs: 0 };

  /** @param startedAt milliseconds since the epoch */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  /** Takes one event; gives the failure, where it tells of one. */
  take(event: WarmEvent): ImageFailure | undefined {
    switch (event.kind) {
      case 'image':
        return this.#takeImage(event);
      case 'progress': {
        const { bytes, total, images_done, images } = event;
        this.#progress = { bytes, total, images_done, images };
        return undefined;
      }
      case 'summary': {
        const { fetched_bytes, fetched_blobs, present_bytes, present_blobs } = event;
        this.#totals = { fetched_bytes, fetched_blobs, present_bytes, present_blobs };
        return undefined;
      }
      default:
        return undefined;
    }
  }

  #takeImage(event: Extract<WarmEvent, { kind: 'image' }>): ImageFailure | undefined {
    this.#images++;
    // The summary has the same; a run that breaks off has none.
    this.#totals.fetched_bytes += event.fetched_bytes;
    this.#totals.fetched_blobs += event.fetched_blobs;
    if (event.result !== 'failed') return undefined;
    this.#failed++;
    const { image, code = 'UNKNOWN', message = '' } = event;
    const failure = { image, code, message };
    if (this.#failures.length < mostFailures) this.#failures.push(failure);
    return failure;
  }

  get progress(): RunProgress {
    return { started_at: iso(this.#startedAt), ...this.#progress };
  }

  /**
   * @param endedAt milliseconds since the epoch
   * @param failure what ended it before its end
   */
  report(endedAt: number, failure: RegistryError | undefined): RunReport {
    const whole = this.#failed === 0 ? 'completed' : 'incomplete';
    return {
      started_at: iso(this.#startedAt),
      ended_at: iso(endedAt),
      seconds: Math.max(0, endedAt - this.#startedAt) / 1000,
      result: failure === undefined ? whole : 'failed',
      images: this.#images,
      failed: this.#failed,
      ...this.#totals,
      failures: this.#failures,
      ...(failure && { code: failure.code, message: failure.message }),
    };
  }
}

/** @param at milliseconds since the epoch */
function iso(at: number): string {
  return new Date(at).toISOString();
}
