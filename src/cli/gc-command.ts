import type { Command } from 'commander';
import { describeByteSize } from '../lib/byte-size.ts';
import type { CommandContext } from './context.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';
import { collectGarbage, inspectStore, type GcReport } from './store.ts';

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
          ? await collectGarbage(await inspectStore(config), config.storage.spool_ttl, dryRun)
          : ((await client.post('gc', { dry_run: dryRun })) as GcReport);
      context.stdout(options.json === true ? `${JSON.stringify(report)}\n` : describe(report));
    });
}

function describe({ dry_run, blobs, bytes, before, after }: GcReport): string {
  const what = `${blobs} blob${blobs === 1 ? '' : 's'}, ${describeByteSize(bytes)}`;
  const from = `${describeByteSize(before)} → ${describeByteSize(after)}`;
  return dry_run ? `Would remove ${what} (${from}).\n` : `Removed ${what} (${from}).\n`;
}
