import type { Command } from 'commander';
import { PinRecord } from '../catalog/pin-record.ts';
import type { Config } from '../config/config.ts';
import { describeByteSize } from '../lib/byte-size.ts';
import { pinnedDigests } from '../registry/pinned.ts';
import type { CommandContext } from './context.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';
import { collectGarbage, inspectStore, type GcReport } from '../service/store.ts';
import { openWorkbench } from './workbench.ts';

/** `baleen gc` */
export function addGcCommand(program: Command, context: CommandContext): void {
  program
    .command('gc')
    .description('remove what is above storage.max_size or unused for storage.unused_ttl, now')
    .option('--dry-run', 'only say what would be removed')
    .option('--json', 'print one JSON document')
    .action(async (options: { dryRun?: true; json?: true }, command: Command) => {
      const config = configFor(command, context);
      const dryRun = options.dryRun === true;
      await using client = await OperationsClient.find(config);
      const report =
        client === undefined
          ? await collectDirectly(config, context, dryRun)
          : ((await client.post('gc', { dry_run: dryRun })) as GcReport);
      context.stdout(options.json === true ? `${JSON.stringify(report)}\n` : describe(report));
    });
}

async function collectDirectly(
  config: Config,
  context: CommandContext,
  dryRun: boolean,
): Promise<GcReport> {
  await using bench = await openWorkbench(config, context);
  const store = await inspectStore(config);
  const pins = new PinRecord(bench.layout.root);
  store.evictor.protect(() => pinnedDigests(pins, bench.catalog, store));
  return collectGarbage(store, config.storage.spool_ttl, dryRun);
}

function describe({ dry_run, blobs, bytes, before, after }: GcReport): string {
  const what = `${blobs} blob${blobs === 1 ? '' : 's'}, ${describeByteSize(bytes)}`;
  const from = `${describeByteSize(before)} → ${describeByteSize(after)}`;
  return dry_run ? `Would remove ${what} (${from}).\n` : `Removed ${what} (${from}).\n`;
}
