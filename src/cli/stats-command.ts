import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { describeByteSize } from '../lib/byte-size.ts';
import type { DiskBlobStore } from '../store/disk-blob-store.ts';
import { Layout } from '../store/layout.ts';
import type { CommandContext } from './context.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';
import { gatherHostedStats, measureUploads, type HostedStats } from '../service/hosted-stats.ts';
import { gatherStats, type Stats } from '../service/stats.ts';
import { evictionPolicy, inspectStore } from '../service/store.ts';
import { openHostedWorkbench, openWorkbench } from './workbench.ts';

/** `baleen stats` */
export function addStatsCommand(program: Command, context: CommandContext): void {
  program
    .command('stats')
    .description('say how much is cached')
    .option('--json', 'print one JSON document')
    .action(async (options: { json?: true }, command: Command) => {
      const config = configFor(command, context);
      await using client = await OperationsClient.find(config);
      const stats =
        client === undefined
          ? await inspect(config, context)
          : ((await client.get('stats')) as Stats);
      context.stdout(options.json === true ? `${JSON.stringify(stats)}\n` : describe(stats));
    });
}

async function inspect(config: Config, context: CommandContext): Promise<Stats> {
  await using bench = await openWorkbench(config, context);
  await using pushed = await openHostedWorkbench(config, context);
  const count = async (part: 'cached' | 'hosted'): Promise<DiskBlobStore> => {
    const store = await inspectStore(config, undefined, part);
    await store.usage.count(new AbortController().signal);
    return store;
  };
  const hosted = await gatherHostedStats(
    await count('hosted'),
    pushed?.catalog ?? { repositories: () => Promise.resolve([]) },
    await measureUploads(new Layout(config.storage.directory, 'hosted').uploads),
  );
  const { directory } = config.storage;
  const policy = evictionPolicy(config);
  return gatherStats(directory, await count('cached'), bench.catalog, policy, hosted);
}

function describe(stats: Stats): string {
  const repositories = Object.entries(stats.repositories);
  const rows = [
    ['directory', stats.directory],
    ['blobs', `${stats.blobs}${stats.counted ? '' : ' (still counting)'}`],
    ['size', size(stats.bytes)],
    ['partial', `${size(stats.spooled)}, ${stats.downloads} downloads running`],
    ['limit', stats.max_size === null ? 'none (storage.max_size)' : size(stats.max_size)],
    ['disk', `${stats.disk}, ${size(stats.free)} free`],
    ...repositories.map(([name, count]) => [name, `${count} repositories`]),
    ...describeHosted(stats.hosted),
  ];
  const width = Math.max(...rows.map(([label = '']) => label.length));
  return rows.map(([label = '', value]) => `${label.padEnd(width)}  ${value}\n`).join('');
}

/** Nothing where nothing was ever pushed. */
function describeHosted(hosted: HostedStats): string[][] {
  const { counted, blobs, bytes, repositories, uploads, upload_bytes } = hosted;
  if (blobs === 0 && repositories === 0 && uploads === 0) return [];
  const still = counted ? '' : ' (still counting)';
  return [
    ['pushed', `${repositories} repositories, ${blobs} blobs, ${size(bytes)}${still}`],
    ['uploads', `${uploads} open, ${size(upload_bytes)}`],
  ];
}

/** `-` for what cannot be known. */
function size(bytes: number | null): string {
  return bytes === null ? '-' : describeByteSize(bytes);
}
