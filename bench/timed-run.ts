import { spawn } from 'node:child_process';
import { memoryOf } from './proc.ts';

/** How often a process is looked at, in milliseconds. Its peak never falls, so that only its last moments are missed. */
const LOOK = 50;

/** What it took to run a program to its end. */
export interface TimedRun {
  readonly seconds: number;
  /** The most memory that was resident, in bytes. */
  readonly peak: number;
}

/** @throws Error with what it said, where it failed */
export async function timedRun(command: string, args: readonly string[]): Promise<TimedRun> {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (said = (said + text).slice(-4000)));
  let peak = 0;
  const timer = setInterval(() => {
    if (child.pid !== undefined) peak = Math.max(peak, memoryOf([child.pid]).peak);
  }, LOOK);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('close', resolve).on('error', reject);
  const code = await promise.finally(() => clearInterval(timer));
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${said}`);
  return { seconds: (performance.now() - started) / 1000, peak };
}
