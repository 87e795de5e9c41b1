import { manifestPath } from './content.ts';
import { rotated, withServers, type Context } from './context.ts';
import type { Figures } from './figures.ts';
import type { Target } from './messages.ts';
import { pullManifest } from './prime.ts';
import { versionOf } from './servers/launch.ts';
import type { Server } from './servers/server.ts';
import { runWrk } from './wrk.ts';

export const MANIFEST_CONNECTIONS = [1, 32] as const;
export const REFERENCES = ['tag', 'digest'] as const;

export const manifestMetric = (reference: string, connections: number): string =>
  `manifests by ${reference}, ${connections} connections, requests/s`;

/** Warm manifests per second, over keep-alive connections, each with one request at a time. */
export async function measureManifests(context: Context, figures: Figures): Promise<void> {
  const { contents, load, options } = context;
  const hasWrk = (await versionOf('sh', ['-c', 'command -v wrk'])) !== undefined;
  await withServers(context, context.kinds, async (servers) => {
    for (const server of servers) {
      await pullManifest(server, contents.image);
      await load.run({
        ...targetOf(context, server, 'tag'),
        kind: 'window',
        connections: Math.max(...MANIFEST_CONNECTIONS),
        warmUp: options.manifestWarmUp,
        window: 100,
        group: server.group,
      });
    }
    for (let round = 0; round < options.rounds; round++) {
      for (const reference of REFERENCES) {
        for (const connections of MANIFEST_CONNECTIONS) {
          for (const server of rotated(servers, round)) {
            const target = targetOf(context, server, reference);
            const metric = manifestMetric(reference, connections);
            try {
              await context.calm.wait();
              const own = await load.run({
                ...target,
                kind: 'window',
                connections,
                warmUp: 300,
                window: hasWrk ? 100 : options.manifestWindow,
                group: server.group,
              });
              const rate = hasWrk
                ? await runWrk(target, connections, options.manifestWindow)
                : own.responses / own.seconds;
              figures.add(metric, server.name, round, rate);
              context.note(`${metric}: ${server.name} ${rate.toFixed(0)}`);
            } catch (error) {
              figures.fail(server.name, `${metric}: ${String(error)}`);
            }
          }
        }
      }
    }
  });
}

function targetOf(
  { contents: { image } }: Context,
  server: Server,
  reference: (typeof REFERENCES)[number],
): Target {
  return {
    port: server.port,
    path: manifestPath(image.repository, image[reference]),
    accept: image.mediaType,
  };
}
