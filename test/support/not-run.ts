import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runDirectory } from './run-directory.ts';

const folder = 'not-run';

/** Notes a suite that could not be run here, and why, for the summary at the end of the run. */
export function noteNotRun(suite: string, reason: string): void {
  const directory = join(runDirectory(), folder);
  mkdirSync(directory, { recursive: true });
  const name = createHash('sha256').update(suite).digest('hex').slice(0, 16);
  writeFileSync(join(directory, name), `${suite}: ${reason}`);
}

/** All that was noted in a run, in order of name. */
export function notesOf(directory: string): string[] {
  try {
    return readdirSync(join(directory, folder))
      .map((name) => readFileSync(join(directory, folder, name), 'utf8'))
      .toSorted();
  } catch {
    return [];
  }
}
