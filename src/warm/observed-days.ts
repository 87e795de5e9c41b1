import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, removeFile, writeFileAtomic } from '../lib/atomic-file.ts';

/** How often an image was pulled, and in which platforms. */
export interface PullCount {
  /** Its full name: `docker.io/library/nginx:1.27`. */
  readonly image: string;
  readonly pulls: number;
  /** As far as they are known. */
  readonly platforms: readonly string[];
}

/** The day of a time, in UTC: `2026-11-21`. */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

const dayShape = /^(\d{4}-\d{2}-\d{2})\.jsonl$/;

/** What was pulled, a file a day: `<data>/v1/warm/pulls/2026-11-21.jsonl`, one image a line. */
export class ObservedDays {
  readonly #folder: string;
  readonly #tmpDir: string;

  /** @param directory the versioned data folder, `<data>/v1` */
  constructor(directory: string) {
    this.#folder = join(directory, 'warm', 'pulls');
    this.#tmpDir = join(directory, 'tmp');
  }

  /**
   * A day's counts; what is damaged is left out.
   * @throws the disk's error
   */
  async read(day: string): Promise<PullCount[]> {
    try {
      const text = await readFile(this.#path(day), 'utf8');
      return text.split('\n').flatMap((line) => parseCount(line) ?? []);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** @throws the disk's error */
  async write(day: string, counts: readonly PullCount[]): Promise<void> {
    const lines = counts
      .toSorted((a, b) => b.pulls - a.pulls)
      .map((count) => `${JSON.stringify(count)}\n`);
    await writeFileAtomic(this.#path(day), lines.join(''), { tmpDir: this.#tmpDir });
  }

  /**
   * Removes what is older than a day.
   * @throws the disk's error
   */
  async removeBefore(day: string): Promise<void> {
    const files = await readdir(this.#folder).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    for (const file of files) {
      const of = dayShape.exec(file)?.[1];
      if (of !== undefined && of < day) await removeFile(join(this.#folder, file));
    }
  }

  #path(day: string): string {
    return join(this.#folder, `${day}.jsonl`);
  }
}

function parseCount(line: string): PullCount | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { image, pulls, platforms } = (value ?? {}) as Record<string, unknown>;
  if (typeof image !== 'string' || typeof pulls !== 'number' || !(pulls > 0)) return undefined;
  const known = Array.isArray(platforms)
    ? platforms.filter((each) => typeof each === 'string')
    : [];
  return { image, pulls, platforms: known };
}
