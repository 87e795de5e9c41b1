import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { isRegistryError } from '../oci/errors.ts';
import { listPins, pinImages, unpinImages, type PinReport } from '../registry/pin-images.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';
import { upstreamNames } from '../service/upstream-names.ts';
import { openWorkbench, type Workbench } from './workbench.ts';

/** `baleen pin`, `baleen unpin` and `baleen pins` */
export function addPinCommands(program: Command, context: CommandContext): void {
  program
    .command('pin')
    .description('never evict these images, whether or not they are cached yet')
    .argument('<image...>', 'such as nginx:1.25 or ghcr.io/org/app@sha256:…')
    .action(async (images: readonly string[], _options: unknown, command: Command) => {
      const config = configFor(command, context);
      const report = await carryOut(config, context, 'pin', images, ({ pins }) =>
        pinImages(pins, images, upstreamNames(config)),
      );
      context.stdout(report.images.map((image) => `Pinned ${image}\n`).join(''));
    });
  program
    .command('unpin')
    .description('let these images go when room is needed')
    .argument('<image...>', 'as they were pinned')
    .action(async (images: readonly string[], _options: unknown, command: Command) => {
      const config = configFor(command, context);
      const report = await carryOut(config, context, 'unpin', images, ({ pins }) =>
        unpinImages(pins, images, upstreamNames(config)),
      );
      context.stdout(report.images.map((image) => `Unpinned ${image}\n`).join(''));
      if (report.missing.length > 0) {
        throw new CommandFailure(`not pinned: ${report.missing.join(', ')}`);
      }
    });
  program
    .command('pins')
    .description('list the images that are pinned')
    .action(async (_options: unknown, command: Command) => {
      const config = configFor(command, context);
      await using workbench = await openWorkbench(config, context);
      const { images } = await listPins(workbench.pins);
      context.stdout(images.map((image) => `${image}\n`).join(''));
    });
}

/** Through the Baleen that runs, which has to know of it at once; else on the directory itself. */
async function carryOut(
  config: Config,
  context: CommandContext,
  name: 'pin' | 'unpin',
  images: readonly string[],
  directly: (workbench: Workbench) => Promise<PinReport>,
): Promise<PinReport> {
  await using client = await OperationsClient.find(config);
  if (client !== undefined) return (await client.post(name, { images })) as PinReport;
  await using workbench = await openWorkbench(config, context);
  try {
    return await directly(workbench);
  } catch (error) {
    throw isRegistryError(error) ? new CommandFailure(error.message, { cause: error }) : error;
  }
}
