import { blobPath } from './content.ts';
import { rotated, withServers, type Context } from './context.ts';
import type { Figures } from './figures.ts';
import { checkBlob, pullManifest, warm } from './prime.ts';

export const blobRateMetric = (connections: number): string =>
  `warm blob, ${connections} connections, GB/s`;
export const blobCpuMetric = (connections: number): string =>
  `warm blob, ${connections} connections, server CPU-s/GB`;

/** Throughput of a blob that is cached, and what it costs the server. */
export async function measureBlobs(context: Context, figures: Figures): Promise<void> {
  const { contents, load, options } = context;
  await withServers(context, context.kinds, async (servers) => {
    for (const server of servers) {
      await pullManifest(server, contents.image);
      await warm(context, server, contents.image, contents.warm);
    }
    for (let round = 0; round < options.rounds; round++) {
      for (const connections of options.blobConnections) {
        for (const server of rotated(servers, round)) {
          try {
            await context.calm.wait();
            const result = await load.run({
              kind: 'window',
              port: server.port,
              path: blobPath(contents.image.repository, contents.warm.digest),
              connections,
              warmUp: 400,
              window: options.blobWindow,
              group: server.group,
            });
            const gigabytes = result.bytes / 1e9;
            const rate = gigabytes / result.seconds;
            const cpu = result.serverCpuSeconds / gigabytes;
            figures.add(blobRateMetric(connections), server.name, round, rate);
            figures.add(blobCpuMetric(connections), server.name, round, cpu);
            context.note(
              `warm blob, ${connections} connections: ${server.name} ${rate.toFixed(2)} GB/s, ${cpu.toFixed(3)} CPU-s/GB (client ${(result.clientCpuSeconds / gigabytes).toFixed(3)})`,
            );
          } catch (error) {
            figures.fail(server.name, `warm blob, ${connections} connections: ${String(error)}`);
          }
        }
      }
      for (const server of servers) {
        try {
          await checkBlob(context, server, contents.image, contents.warm);
        } catch (error) {
          figures.fail(server.name, `warm blob, after round ${round + 1}: ${String(error)}`);
          context.note(`WRONG: ${server.name}: ${String(error)}`);
        }
      }
    }
  });
}
