import { blobOf } from './content.ts';
import { rotated, type Context } from './context.ts';
import type { Figures } from './figures.ts';
import { cpuSeconds, groupMembers, memoryOf } from './proc.ts';
import type { Server } from './servers/server.ts';

export const pushMetrics = {
  rate: 'push of one blob, MB/s',
  closing: 'push of one blob, from its last byte to the answer, s',
  cpu: 'push of one blob, server CPU-s/GB',
  memory: 'push of one blob, highest resident memory, MB',
} as const;

/** One client that pushes a large blob, another one each round, which no server has. */
export async function measurePush(context: Context, figures: Figures): Promise<void> {
  const { options } = context;
  const servers: Server[] = [];
  try {
    for (const { startHosted } of context.kinds) {
      if (startHosted !== undefined) servers.push(await startHosted());
    }
    for (let round = 0; round < options.rounds; round++) {
      const { seed, size, digest } = blobOf(1_000 + round, options.pushSize, 0);
      for (const server of rotated(servers, round)) {
        await context.calm.wait();
        const pids = groupMembers(server.group);
        const before = cpuSeconds(pids);
        const path = '/v2/bench/pushed/blobs/uploads/';
        try {
          const { port } = server;
          const job = { kind: 'push', port, path, seed, size, digest } as const;
          const { seconds, closingSeconds } = await context.load.run(job);
          const add = (metric: string, value: number): void =>
            figures.add(metric, server.name, round, value);
          add(pushMetrics.rate, size / 1e6 / seconds);
          add(pushMetrics.closing, closingSeconds);
          add(pushMetrics.cpu, (cpuSeconds(pids) - before) / (size / 1e9));
          add(pushMetrics.memory, memoryOf(pids).peak / 1e6);
          context.note(
            `push: ${server.name} ${(size / 1e6 / seconds).toFixed(0)} MB/s, ${closingSeconds.toFixed(2)} s of it at the end`,
          );
        } catch (error) {
          figures.fail(server.name, `push, round ${round + 1}: ${String(error)}`);
        }
      }
    }
  } finally {
    for (const server of servers) await server.stop();
  }
}
