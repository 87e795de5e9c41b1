import { setTimeout as sleep } from 'node:timers/promises';
import { open } from './load-connection.ts';
import { now, type Job, type SlowResult } from './messages.ts';

const READS_PER_SECOND = 2;
/** Milliseconds for all clients to have their heads: a server first fills the kernel's buffers of those that came earlier. */
const RAMP_TIMEOUT = 40_000;

/** Clients that take a sip, then wait: the kernel's buffers fill up, and the server has to hold back. */
export async function runSlow(job: Job & { kind: 'slow' }): Promise<SlowResult> {
  const sip = Buffer.allocUnsafeSlow(Math.floor(job.rate / READS_PER_SECOND));
  const interval = 1000 / READS_PER_SECOND;
  const failures: string[] = [];
  let bytes = 0;
  let over = false;
  const clients = Array.from({ length: job.clients }, (_, index) => {
    let reading = false;
    const { socket } = open(
      job,
      {
        head: (status) => {
          reading = status === 200;
          if (!reading) failures.push(`client ${index}: status ${status}`);
        },
        body: (_buffer, start, end) => {
          bytes += end - start;
        },
        end: () => {
          reading = false;
        },
        failed: (reason) => {
          reading = false;
          if (!over) failures.push(`client ${index}: ${reason}`);
        },
        read: () => {
          setTimeout(() => socket.resume(), interval);
          return false;
        },
      },
      sip,
    );
    return { socket, isReading: () => reading };
  });
  const count = (): number => clients.filter((client) => client.isReading()).length;
  const deadline = now() + RAMP_TIMEOUT;
  while (count() < job.clients && failures.length === 0 && now() < deadline) await sleep(100);
  await sleep(job.duration);
  const reading = count();
  over = true;
  for (const { socket } of clients) socket.destroy();
  return { reading, bytes, failures };
}
