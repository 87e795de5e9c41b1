import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { isRegistryError } from '../oci/errors.ts';
import { MissingFile } from '../registry/missing-file.ts';
import type { MissingImage } from '../registry/missing-images.ts';
import { isStillMissing } from '../registry/still-missing.ts';
import { lockForCommand } from '../service/data-lock.ts';
import type { MissingReport } from '../service/missing.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';
import { openWorkbench } from './workbench.ts';

interface MissingCommandOptions {
  readonly json?: true;
  readonly clear?: true;
}

/** `baleen missing` */
export function addMissingCommand(program: Command, context: CommandContext): void {
  program
    .command('missing')
    .description('list the images that were asked for while offline and are not here')
    .option('--clear', 'forget them, once they are listed')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nWhat is printed is what "baleen warm -f" takes, on a Baleen that is connected.',
    )
    .action(async ({ json, clear }: MissingCommandOptions, command: Command) => {
      const config = configFor(command, context);
      const report = await gather(config, context, clear === true).catch((error: unknown) => {
        throw isRegistryError(error) ? new CommandFailure(error.message, { cause: error }) : error;
      });
      context.stdout(json === true ? `${JSON.stringify(report)}\n` : describe(report.images));
    });
}

/** From the Baleen that runs, else from the directory itself. */
async function gather(
  config: Config,
  context: CommandContext,
  isToBeCleared: boolean,
): Promise<MissingReport> {
  await using client = await OperationsClient.find(config);
  if (client !== undefined) {
    const answer = isToBeCleared ? client.post('missing/clear') : client.get('missing');
    return (await answer) as MissingReport;
  }
  await using workbench = await openWorkbench(config, context);
  using _lock = isToBeCleared ? lockForCommand(config.storage.directory, context.stderr) : null;
  const file = new MissingFile(workbench.layout.root);
  const images: MissingImage[] = [];
  for (const each of await file.read()) {
    if (await isStillMissing(each, workbench)) images.push(each);
  }
  if (isToBeCleared) await file.write([]);
  return { images };
}

function describe(images: readonly MissingImage[]): string {
  if (images.length === 0) return '# Nothing that was asked for is missing.\n';
  const count = images.length === 1 ? 'One image was' : `${images.length} images were`;
  const head = `# ${count} asked for and not here. Give this list to "baleen warm -f FILE" on the connected side.\n`;
  return head + images.map(describeOne).join('');
}

function describeOne(missing: MissingImage): string {
  const { image, tags = [], platform, blobs, count, first_asked, last_asked } = missing;
  const times = count === 1 ? 'once' : `${count} times`;
  const when = count === 1 ? last_asked : `${first_asked} to ${last_asked}`;
  const names = tags.join(', ');
  const which = [platform, names === '' ? undefined : `of ${names}`].filter(Boolean).join(' ');
  const lacks = blobs && `lacks ${blobs.length === 1 ? 'a blob' : `${blobs.length} blobs`}`;
  const notes = [`asked for ${times}, ${when}`, which === '' ? undefined : which, lacks];
  return `# ${notes.filter(Boolean).join('; ')}\n${image}\n`;
}
