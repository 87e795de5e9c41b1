import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, removeFile, writeFileAtomic } from '../lib/atomic-file.ts';
import type { RunReport } from './run-report.ts';

/** What is known of a schedule's past, also after a restart. */
export interface ScheduleState {
  /** The times that this is about: other times have another past. */
  readonly cron: string;
  readonly time_zone: string;
  /**
   * Whatever was due up to here was done, skipped, or due before there was such a schedule.
   * ISO 8601, in UTC.
   */
  readonly through: string;
  readonly last?: RunReport | undefined;
  /** When a run last ended with all that was wanted. */
  readonly last_success_at?: string | undefined;
}

/** The past of schedules, one small file each: `<data>/v1/warm/schedules/<name>.json`. */
export class ScheduleRecord {
  readonly #folder: string;
  readonly #tmpDir: string;

  /** @param directory the versioned data folder, `<data>/v1` */
  constructor(directory: string) {
    this.#folder = join(directory, 'warm', 'schedules');
    this.#tmpDir = join(directory, 'tmp');
  }

  /**
   * Undefined where nothing is on record, or nothing that can be read as such.
   * @throws the disk's error
   */
  async read(name: string): Promise<ScheduleState | undefined> {
    try {
      return parseState(await readFile(this.#path(name), 'utf8'));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** @throws the disk's error */
  async write(name: string, state: ScheduleState): Promise<void> {
    const text = `${JSON.stringify(state, undefined, 2)}\n`;
    await writeFileAtomic(this.#path(name), text, { tmpDir: this.#tmpDir });
  }

  /**
   * Forgets all schedules but some: one that comes back has missed nothing meanwhile.
   * @throws the disk's error
   */
  async keepOnly(names: ReadonlySet<string>): Promise<void> {
    const files = await readdir(this.#folder).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    for (const file of files) {
      const name = /^(.*)\.json$/.exec(file)?.[1];
      if (name !== undefined && !names.has(name)) await removeFile(join(this.#folder, file));
    }
  }

  #path(name: string): string {
    return join(this.#folder, `${name}.json`);
  }
}

/** Reads what was written; undefined where it is nothing of the kind. */
export function parseState(text: string): ScheduleState | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { cron, time_zone, through, last, last_success_at } = asObject(value);
  if (typeof cron !== 'string' || typeof time_zone !== 'string' || !isTime(through)) {
    return undefined;
  }
  return {
    cron,
    time_zone,
    through,
    last: parseReport(last),
    last_success_at: isTime(last_success_at) ? last_success_at : undefined,
  };
}

const results: readonly unknown[] = ['completed', 'incomplete', 'failed'];

const counts = [
  'seconds',
  'images',
  'failed',
  'fetched_bytes',
  'fetched_blobs',
  'present_bytes',
  'present_blobs',
] as const;

function parseReport(value: unknown): RunReport | undefined {
  const report = asObject(value);
  const isReport =
    isTime(report['started_at']) &&
    isTime(report['ended_at']) &&
    results.includes(report['result']) &&
    counts.every((key) => typeof report[key] === 'number') &&
    Array.isArray(report['failures']);
  return isReport ? (report as unknown as RunReport) : undefined;
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
