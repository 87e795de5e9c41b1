import type { ImageFailure, RunProgress, RunReport } from './run-report.ts';
import type { WarmEvent } from './warm-event.ts';

/** Something that is warmed again and again. */
export interface Schedule {
  readonly name: string;
  readonly cron: string;
  readonly timeZone: string;
  /** One run. May throw a RegistryError where it cannot be done at all, or the signal's reason. */
  readonly work: (signal: AbortSignal) => AsyncIterable<WarmEvent>;
}

/** The time, and waiting for it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Settles when so many milliseconds are over, or the signal says so; never rejects. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** Told of what becomes of schedules. */
export interface ScheduleObserver {
  /** @param missedAt when it was due while nobody was there to do it, where that is why it runs */
  started(name: string, missedAt: number | undefined): void;
  imageFailed(name: string, failure: ImageFailure): void;
  /** Whatever else a run tells. */
  told(name: string, event: WarmEvent): void;
  ended(name: string, report: RunReport): void;
  /** It was stopped: by the end of the process, after which the next makes up for it, or since it is no longer there. */
  interrupted(name: string): void;
  /** It was due while its last run went on, or waited for others. */
  skipped(name: string, dueAt: number): void;
  /** What was done could not be written down, or not be read. */
  recordFailed(name: string, error: unknown): void;
}

/** How a schedule stands. */
export interface ScheduleStatus {
  readonly name: string;
  readonly cron: string;
  readonly time_zone: string;
  /** `waiting`: for another to end. */
  readonly state: 'idle' | 'waiting' | 'running';
  readonly next_due: string | null;
  readonly running: RunProgress | null;
  readonly last: RunReport | null;
  readonly last_success_at: string | null;
}
