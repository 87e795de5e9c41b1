import { reap, runDirectory } from './run-directory.ts';

/** After all tests: ends and removes whatever they left. */
export default function globalTeardown(): void {
  reap(runDirectory());
}
