import { readFileSync } from 'node:fs';

/**
 * How many connections to take: what is configured, but no more than three quarters of the files
 * that this process may open, for what is served has to be opened as well.
 */
export function connectionLimit(configured: number, files = mostOpenFiles()): number {
  return Math.max(1, Math.min(configured, Math.floor(files * 0.75)));
}

/** How many files this process may open (`ulimit -n`); infinite where the system does not say. */
export function mostOpenFiles(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    return parseOpenFiles(limits);
  } catch {
    return Infinity;
  }
}

/** The soft limit in the text of `/proc/<pid>/limits` (proc(5)). */
export function parseOpenFiles(limits: string): number {
  const soft = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Infinity : Number(soft);
}
