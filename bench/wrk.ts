import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Target } from './messages.ts';

/** Requests a second as wrk counts them. Throws where it met anything but 2xx. `window` is in milliseconds. */
export async function runWrk(target: Target, connections: number, window: number): Promise<number> {
  const seconds = Math.max(1, Math.round(window / 1000));
  const { stdout } = await promisify(execFile)(
    'wrk',
    [
      '-t1',
      `-c${connections}`,
      `-d${seconds}s`,
      '--timeout',
      '10s',
      ...(target.accept === undefined ? [] : ['-H', `Accept: ${target.accept}`]),
      `http://127.0.0.1:${target.port}${target.path}`,
    ],
    { timeout: seconds * 1000 + 30_000 },
  );
  return readWrk(stdout);
}

/** Reads wrk's report. */
export function readWrk(report: string): number {
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(report)?.[1];
  if (refused !== undefined) throw new Error(`${refused} responses were not 2xx`);
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(report)?.[1];
  if (rate === undefined) throw new Error(`wrk reports no rate: ${report.slice(0, 200)}`);
  return Number(rate);
}
