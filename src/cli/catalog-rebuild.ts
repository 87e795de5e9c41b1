import type { Command } from 'commander';
import { isRegistryError } from '../oci/errors.ts';
import { rebuildCatalog, type RebuildEvent } from '../registry/rebuild-catalog.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';
import { Progress } from './progress.ts';
import { openWorkbench } from './workbench.ts';

/** `baleen catalog rebuild` */
export function addCatalogRebuild(parent: Command, context: CommandContext): void {
  parent
    .command('rebuild')
    .description('put what is on record back into Redis after it was flushed; never needed')
    .option('--json', 'print one JSON document')
    .action(async (options: { readonly json?: true }, command: Command) => {
      const config = configFor(command, context);
      if (config.catalog.redis === undefined) {
        context.stdout('No Redis is configured (catalog.redis): there is nothing to rebuild.\n');
        return;
      }
      await using client = await OperationsClient.find(config);
      if (client !== undefined) {
        await print(
          client.stream('catalog/rebuild') as AsyncIterable<RebuildEvent>,
          options,
          context,
        );
        return;
      }
      await using workbench = await openWorkbench(config, context);
      const { signal } = new AbortController();
      await print(rebuildCatalog(workbench.catalog, signal), options, context);
    });
}

async function print(
  events: AsyncIterable<RebuildEvent>,
  { json }: { readonly json?: true },
  context: CommandContext,
): Promise<void> {
  const progress = new Progress(context);
  let last: RebuildEvent | undefined;
  try {
    for await (const event of events) {
      last = event;
      progress.show(`${event.entries} entries, ${event.restored} restored`);
    }
  } catch (error) {
    throw isRegistryError(error) ? new CommandFailure(error.message, { cause: error }) : error;
  } finally {
    progress.clear();
  }
  if (last?.event !== 'result') throw new CommandFailure('the rebuild was broken off');
  const { entries, restored, seconds } = last;
  context.stdout(
    json === true
      ? `${JSON.stringify(last)}\n`
      : `${entries} tags and memberships on record, ${restored} put back into Redis (${seconds} s).\n`,
  );
}
