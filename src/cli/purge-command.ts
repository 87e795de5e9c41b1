import type { Command } from 'commander';
import { describeByteSize } from '../lib/byte-size.ts';
import { isRegistryError } from '../oci/errors.ts';
import { purge, type PurgeParameters, type PurgeReport } from '../registry/purge.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';
import { openWorkbench } from './workbench.ts';
import type { Config } from '../config/config.ts';

/** `baleen purge` */
export function addPurgeCommand(program: Command, context: CommandContext): void {
  program
    .command('purge')
    .description(
      'remove images, with all that belongs to them alone; they are fetched anew on demand',
    )
    .argument(
      '<what...>',
      'an image (nginx:1.25), a repository (ghcr.io/org/app: all of it), or a digest (everywhere)',
    )
    .option('--dry-run', 'only say what would be removed')
    .option('--force', 'also what is pinned')
    .option('--json', 'print one JSON document')
    .action(
      async (
        targets: readonly string[],
        options: { readonly dryRun?: true; readonly force?: true; readonly json?: true },
        command: Command,
      ) => {
        const config = configFor(command, context);
        const parameters = {
          targets,
          dryRun: options.dryRun === true,
          force: options.force === true,
        };
        const report = await carryOut(config, context, parameters);
        context.stdout(options.json === true ? `${JSON.stringify(report)}\n` : describe(report));
        // Nothing else tells a mistyped name from one that is gone.
        if (report.missing.length > 0) {
          throw new CommandFailure(`nothing is stored of ${report.missing.join(', ')}`);
        }
      },
    );
}

async function carryOut(
  config: Config,
  context: CommandContext,
  parameters: PurgeParameters,
): Promise<PurgeReport> {
  await using client = await OperationsClient.find(config);
  if (client !== undefined) {
    const { dryRun, ...rest } = parameters;
    return (await client.post('purge', { ...rest, dry_run: dryRun })) as PurgeReport;
  }
  await using workbench = await openWorkbench(config, context);
  try {
    return await purge(workbench, parameters);
  } catch (error) {
    throw isRegistryError(error) ? new CommandFailure(error.message, { cause: error }) : error;
  }
}

function describe({ dry_run, tags, members, blobs, bytes }: PurgeReport): string {
  const lines = [
    ...tags.map((tag) => `tag   ${tag}`),
    ...blobs.map(({ digest, bytes: size }) => `blob  ${digest}  ${describeByteSize(size)}`),
  ];
  const counts = `${tags.length} tags, ${members} memberships, ${blobs.length} blobs`;
  const freed = describeByteSize(bytes);
  lines.push(dry_run ? `Would remove ${counts}: ${freed}.` : `Removed ${counts}: ${freed} freed.`);
  return `${lines.join('\n')}\n`;
}
