import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Everything that a test run leaves outside its own processes lives under one directory: temporary
 * directories, and one file for each process that was started. So whatever a failed or killed test
 * could not clean up itself is found and ended at the end of the run, or by the next one.
 */
const variable = 'BALEEN_TEST_RUN';
const prefix = 'baleen-test-';

/** Makes the directory of this run and tells the workers of it. Once, before all tests. */
export function createRunDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  mkdirSync(join(directory, 'processes'));
  writeFileSync(join(directory, 'owner'), String(process.pid));
  process.env[variable] = directory;
  return directory;
}

/** The directory of this run. */
export function runDirectory(): string {
  return process.env[variable] ?? createRunDirectory();
}

/** Notes a process group that has to be gone at the end. */
export function noteProcess(pid: number, name: string): void {
  writeFileSync(join(runDirectory(), 'processes', String(pid)), name);
}

/** Notes that a process group is gone. */
export function forgetProcess(pid: number): void {
  rmSync(join(runDirectory(), 'processes', String(pid)), { force: true });
}

/** Kills a process group; no complaint where it is gone already. */
export function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Gone.
  }
}

/** Unmounts whatever is mounted below a directory (daemons leave overlays, tmpfs and namespaces behind). */
export function unmountBelow(directory: string): void {
  const points = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
    .filter((point) => point.startsWith(`${directory}/`));
  for (const point of points.toReversed()) {
    try {
      execFileSync('umount', ['-l', point], { stdio: 'ignore' });
    } catch {
      // Unmounted together with a parent.
    }
  }
}

/** Ends every process of a run, unmounts and removes its directory. */
export function reap(directory: string): void {
  let pids: string[] = [];
  try {
    pids = readdirSync(join(directory, 'processes'));
  } catch {
    // Never got that far.
  }
  for (const pid of pids) killGroup(Number(pid), 'SIGKILL');
  for (const pid of processesIn(directory)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone.
    }
  }
  unmountBelow(directory);
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}

/** Reaps the runs whose owner is gone: interrupted before they could do it themselves. */
export function reapAbandonedRuns(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const directory = join(tmpdir(), name);
    if (!isAbandoned(directory)) continue;
    try {
      reap(directory);
    } catch {
      // Another user's: theirs to remove.
    }
  }
}

function isAbandoned(directory: string): boolean {
  try {
    process.kill(Number(readFileSync(join(directory, 'owner'), 'utf8')), 0);
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // No owner's name: just about to be written, or long removed by a reaper that met a straggler.
    return code === 'ESRCH' || (code === 'ENOENT' && ageOf(directory) > 60_000);
  }
}

/** Milliseconds since something was last made or removed in a directory; 0 where another reaper was quicker. */
function ageOf(directory: string): number {
  const found = statSync(directory, { throwIfNoEntry: false });
  return found === undefined ? 0 : Date.now() - found.mtimeMs;
}

/**
 * Processes that left their group (container shims, monitors) and still name the run's directory
 * on their command line.
 */
function processesIn(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${directory}/`);
      } catch {
        return false;
      }
    })
    .map(Number);
}
