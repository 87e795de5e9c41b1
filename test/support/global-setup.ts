import { createRunDirectory, reap, reapAbandonedRuns } from './run-directory.ts';

/** Before all tests: a directory for what they leave outside, and its end however the run ends. */
export default function globalSetup(): void {
  reapAbandonedRuns();
  const directory = createRunDirectory();
  process.once('exit', () => {
    reap(directory);
  });
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => {
      process.exit(code);
    });
  }
}
