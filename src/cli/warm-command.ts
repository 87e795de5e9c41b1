import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { isRegistryError } from '../oci/errors.ts';

import { warmDirectly } from '../service/warm-directly.ts';
import { warmParameters } from '../service/warm-parameters.ts';
import type { FoundImage } from '../warm/image-findings.ts';
import { parseTagPattern } from '../warm/tag-pattern.ts';
import type { WarmEvent } from '../warm/warm-event.ts';
import type { WarmWishes } from '../warm/warm-wishes.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { interruptible } from './interrupt.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';
import { describeFaults, gatherImages, WarmListFault, type WarmList } from './warm-list.ts';
import { WarmPrinter } from './warm-printer.ts';

interface Options {
  readonly file?: readonly string[];
  readonly platform?: readonly string[];
  readonly newest?: string;
  readonly referrers?: true;
  readonly jobs?: string;
  readonly bandwidth?: string;
  readonly pin?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

/** `baleen warm` */
export function addWarmCommand(program: Command, context: CommandContext): void {
  program
    .command('warm')
    .description('fetch images before anybody asks for them')
    .argument('[image...]', "such as nginx:1.27, ghcr.io/org/app@sha256:…, or 'nginx:1.2*'")
    .option('-f, --file <file>', 'also the images that a file names; - is standard input', append)
    .option('--platform <list>', 'such as linux/amd64,linux/arm64, or all (warm.platforms)', append)
    .option('--newest <number>', 'of tags that are patterns, only so many of the newest versions')
    .option('--referrers', 'also what refers to the images: signatures, SBOMs, attestations')
    .option('--pin', 'never evict them')
    .option('--jobs <number>', 'images and layers at work at the same time (warm.jobs)')
    .option(
      '--bandwidth <size>',
      'fetch no more than this a second, such as 50MiB (warm.bandwidth)',
    )
    .option('--dry-run', 'only say what would be fetched')
    .option('--json', 'print one line of JSON for each step, image, and the result')
    .addHelpText('after', explanation)
    .action(async (references: readonly string[], options: Options, command: Command) => {
      const config = configFor(command, context);
      const newest = newestOf(command, options);
      const given = parametersOf(config, options);
      // What is wrong with the options is said before a long list is read.
      wishesOf(command, { ...given, images: ['any'] });
      const list = await listOf(command, context, references, options.file ?? []);
      if (list.faults.length > 0) context.stderr(describeFaults(list.faults));
      if (list.images.length > 0) {
        const images = list.images.map((image) => withNewest(image, newest));
        if (newest !== undefined && !images.some((image) => image.newest !== undefined)) {
          command.error("error: --newest is for patterns of tags, such as 'nginx:1.2*'");
        }
        const parameters = { ...given, images };
        const wishes = wishesOf(command, parameters);
        await warm(config, context, options.json === true, parameters, wishes);
      } else if (list.faults.length === 0) {
        context.stderr('There is nothing to warm.\n');
      }
      if (list.faults.length > 0) throw new CommandFailure('not all of the list could be read');
    });
}

const explanation = `
A file may be a list (one image a line, # before remarks, with platform=linux/arm64 or newest=3 behind
an image), or what Kubernetes, Helm, compose and container tools write; images are found in it:
  kubectl get pods -A -o json | baleen warm
  helm template ./chart | baleen warm -f - --platform linux/amd64,linux/arm64
  baleen warm -f docker-compose.yaml
  baleen warm 'docker.io/library/nginx:1.2*' --newest 3
Interrupted and run again it goes on where it was.
`;

/** An option that may be given several times. An argument behind it is never taken for another of it. */
function append(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** How many versions of a pattern; undefined where nothing was said. */
function newestOf(command: Command, { newest }: Options): number | undefined {
  if (newest === undefined) return undefined;
  if (/^[1-9]\d{0,3}$/.test(newest)) return Number(newest);
  return command.error('error: --newest expects a number of versions, such as 3');
}

/**
 * What the options say of all images, in the operations API's names. What they do not say, the
 * configuration says for all that is warmed.
 */
function parametersOf(
  { warm: usual }: Config,
  { platform, referrers, jobs, bandwidth, pin, dryRun }: Options,
): object {
  const rate = bandwidth ?? usual.bandwidth;
  return {
    platforms: platform?.flatMap((list) => list.split(',')) ?? usual.platforms,
    jobs: jobs === undefined ? usual.jobs : Number(jobs),
    ...(rate !== undefined && { bandwidth: rate }),
    ...(referrers === true && { referrers }),
    ...(pin === true && { pin }),
    ...(dryRun === true && { dry_run: dryRun }),
  };
}

function wishesOf(command: Command, parameters: object): WarmWishes {
  try {
    return warmParameters(parameters);
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    return command.error(`error: ${error.message}`);
  }
}

async function listOf(
  command: Command,
  { stdin }: CommandContext,
  references: readonly string[],
  files: readonly string[],
): Promise<WarmList> {
  if (references.length === 0 && files.length === 0 && stdin.isTTY === true) {
    command.error('error: name the images, or give a list of them with --file');
  }
  try {
    return await gatherImages(references, files, stdin);
  } catch (error) {
    if (!(error instanceof WarmListFault)) throw error;
    return command.error(`error: ${error.message}`);
  }
}

/** What a list says of an image goes before what the command line says of all. */
function withNewest(image: FoundImage, newest: number | undefined): FoundImage {
  const isPattern = parseTagPattern(image.reference) !== undefined;
  return newest === undefined || !isPattern ? image : { newest, ...image };
}

/** Through the Baleen that runs, which serves what comes at once; else in this process. */
async function warm(
  config: Config,
  context: CommandContext,
  isJson: boolean,
  parameters: object,
  wishes: WarmWishes,
): Promise<void> {
  const { version } = context;
  const { jobs, dryRun } = wishes;
  using interrupt = interruptible();
  const printer = new WarmPrinter(context, { json: isJson, dryRun, jobs });
  try {
    await using client = await OperationsClient.find(config);
    if (client === undefined) {
      const stderr = printer.say;
      await printer.all(warmDirectly({ config, version, wishes, stderr }, interrupt.signal));
      return;
    }
    if (!isJson) {
      context.stderr(`Through the Baleen that is running here (process ${client.about.pid}).\n`);
    }
    // It ends its work when nobody listens any more.
    interrupt.signal.addEventListener('abort', () => void client[Symbol.asyncDispose]());
    await printer.all(client.stream('warm', parameters) as AsyncIterable<WarmEvent>);
  } catch (error) {
    if (interrupt.signal.aborted) {
      throw new CommandFailure('interrupted; run it again, and it goes on where it was');
    }
    throw isRegistryError(error) ? new CommandFailure(error.message, { cause: error }) : error;
  }
}
