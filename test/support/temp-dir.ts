import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runDirectory, unmountBelow } from './run-directory.ts';

/** A directory that goes away, with what is mounted in it, when it is disposed. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
}

/** Makes an empty temporary directory below the directory of this test run. */
export function tempDir(name = 'tmp'): TempDir {
  const path = mkdtempSync(join(runDirectory(), `${name}-`));
  return {
    path,
    async [Symbol.asyncDispose]() {
      unmountBelow(path);
      await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}
