import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK = 250;
/** Share of the CPUs that others may use, 0–1. */
const TOLERATED = 0.1;
/** Milliseconds to wait for others at most, before each measurement. */
const PATIENCE = 15_000;

/** How often the machine was calm when a measurement began. */
export class Calm {
  measurements = 0;
  disturbed = 0;

  /**
   * Waits until nothing else uses the CPUs, but not for ever: the servers under test are idle
   * between measurements, so whoever is busy then would spoil the next figure.
   */
  async wait(): Promise<void> {
    this.measurements++;
    const deadline = Date.now() + PATIENCE;
    while ((await busyShare()) > TOLERATED) {
      if (Date.now() > deadline) {
        this.disturbed++;
        return;
      }
    }
  }
}

async function busyShare(): Promise<number> {
  const before = cpuTimes();
  await sleep(LOOK);
  const after = cpuTimes();
  const total = after.total - before.total;
  return total === 0 ? 0 : 1 - (after.idle - before.idle) / total;
}

/** The first line of /proc/stat, proc(5): user, nice, system, idle, iowait, … */
function cpuTimes(): { idle: number; total: number } {
  const [first = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1);
  const times = first.trim().split(/\s+/).slice(1).map(Number);
  return {
    idle: (times[3] ?? 0) + (times[4] ?? 0),
    total: times.reduce((sum, time) => sum + time, 0),
  };
}
