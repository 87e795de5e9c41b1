import { readFileSync, readdirSync } from 'node:fs';

/** Kernel clock ticks a second as /proc reports them: USER_HZ, 100 on every Linux platform that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Resident memory of a process group, bytes, summed over its processes: pages that they share count once for each. */
export interface Memory {
  readonly rss: number;
  /** The sum of each process's own peak. */
  readonly peak: number;
}

/** The processes of a group. See proc(5): field 5 of `stat` is pgrp. */
export function groupMembers(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statFields(pid)?.[2] === String(group));
}

/** utime + stime of processes, seconds, by 10 ms. A process that has ended counts nothing. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = statFields(pid);
    ticks += Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0);
  }
  return ticks / TICKS_PER_SECOND;
}

export function memoryOf(pids: readonly number[]): Memory {
  let rss = 0;
  let peak = 0;
  for (const pid of pids) {
    const status = readText(`/proc/${pid}/status`) ?? '';
    rss += Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
    peak += Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  }
  return { rss, peak };
}

/** The fields of /proc/<pid>/stat that follow the command's name, the state first. */
function statFields(pid: number): string[] | undefined {
  const text = readText(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
