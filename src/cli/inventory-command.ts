import type { Command } from 'commander';
import { inventoryLine } from '../bundle/held-blobs.ts';
import { inventory } from '../store/inventory.ts';
import type { CommandContext } from './context.ts';
import { configFor } from './options.ts';
import { openHostedWorkbench, openWorkbench } from './workbench.ts';

/** Characters that are printed at once. */
const printedAtOnce = 64 * 1024;

/** `baleen inventory` */
export function addInventoryCommand(program: Command, context: CommandContext): void {
  program
    .command('inventory')
    .description('list all that is stored, one digest and size a line, for baleen export --have')
    .addHelpText('after', explanation)
    .action(async (_options: unknown, command: Command) => {
      const config = configFor(command, context);
      await using cached = await openWorkbench(config, context);
      await using hosted = await openHostedWorkbench(config, context);
      const layouts = [cached, hosted].filter((bench) => bench !== undefined);
      let text = '';
      for await (const blob of inventory(layouts.map(({ layout }) => layout))) {
        text += inventoryLine(blob);
        if (text.length < printedAtOnce) continue;
        context.stdout(text);
        text = '';
      }
      context.stdout(text);
    });
}

const explanation = `
Run it on the far side, and carry its output to where the images come from: an export with --have
leaves out what is there already.
`;
