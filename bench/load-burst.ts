import { createHash } from 'node:crypto';
import { open } from './load-connection.ts';
import { now, type BurstResult, type Job } from './messages.ts';

/** Starts all clients at once and waits for the last byte of the last. */
export async function runBurst(job: Job & { kind: 'burst' }): Promise<BurstResult> {
  const started = now();
  const firstBytes: number[] = [];
  const failures: string[] = [];
  let last = 0;
  const client = async (index: number): Promise<void> => {
    const hash = index === 0 && job.digest !== undefined ? createHash('sha256') : undefined;
    const done = Promise.withResolvers<void>();
    let received = 0;
    const fail = (reason: string): void => {
      done.reject(new Error(`client ${index}: ${reason} after ${received} bytes`));
    };
    const { socket } = open(job, {
      head: (status) => {
        if (status !== 200) fail(`status ${status}`);
      },
      body: (buffer, start, end) => {
        if (received === 0) firstBytes.push(now() - started);
        received += end - start;
        hash?.update(buffer.subarray(start, end));
      },
      end: () => {
        last = now() - started;
        if (received !== job.size) fail(`complete, but of ${job.size} bytes`);
        done.resolve();
      },
      failed: fail,
    });
    try {
      await done.promise;
      if (hash !== undefined && `sha256:${hash.digest('hex')}` !== job.digest) {
        failures.push(`client ${index}: wrong digest`);
      }
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    } finally {
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: job.clients }, (_, index) => client(index)));
  return { firstBytes, last, failures };
}
