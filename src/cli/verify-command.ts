import type { Command } from 'commander';
import { describeByteSize } from '../lib/byte-size.ts';
import { findSigner } from '../lib/sign-of-life.ts';
import { isRegistryError } from '../oci/errors.ts';
import { pinnedDigests } from '../registry/pinned.ts';
import { verifyAll } from '../registry/verify-all.ts';
import type { Problem, VerifyEvent } from '../registry/verify.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';
import { Progress } from './progress.ts';
import { signFile } from '../service/hosted-workbench.ts';
import { verifyParameters } from '../service/verify-parameters.ts';
import { openHostedWorkbench, openWorkbench } from './workbench.ts';

interface Options {
  readonly repair?: boolean;
  readonly json?: boolean;
  readonly rate?: string;
}

/** `baleen verify` */
export function addVerifyCommand(program: Command, context: CommandContext): void {
  program
    .command('verify')
    .description('hash all that is stored again, check the record, and tell what is wrong')
    .option(
      '--repair',
      'put what is wrong into quarantine; what is cached is fetched again when it is wanted',
    )
    .option('--rate <size>', 'read no more than this a second, such as 50MiB')
    .option('--json', 'print one line of JSON for each problem, each step, and the result')
    .action(async (options: Options, command: Command) => {
      const config = configFor(command, context);
      const given = {
        repair: options.repair === true,
        ...(options.rate === undefined ? {} : { rate: options.rate }),
      };
      const parameters = parametersOf(command, given);
      const print = new VerifyPrinter(context, options);
      await using client = await OperationsClient.find(config);
      if (client !== undefined) {
        print.through(client);
        await print.all(client.stream('verify', given) as AsyncIterable<VerifyEvent>);
        return;
      }
      await using cached = await openWorkbench(config, context);
      await using hosted = await openHostedWorkbench(config, context);
      const signer = hosted && given.repair ? await findSigner(signFile(hosted.layout)) : undefined;
      if (signer !== undefined) {
        context.stderr(
          `What was pushed is only looked at: process ${signer.pid} (${signer.role}) is at work on it, or was a minute ago, and its operations port does not answer here.\n`,
        );
      }
      const pushed = hosted && { ...hosted, mayRepair: signer === undefined };
      const { signal } = new AbortController();
      const first = (): ReturnType<typeof pinnedDigests> =>
        pinnedDigests(cached.pins, cached.catalog, cached);
      await print.all(
        verifyAll({ cached: { ...cached, first }, hosted: pushed }, parameters, signal),
      );
    });
}

function parametersOf(command: Command, given: object): ReturnType<typeof verifyParameters> {
  try {
    return verifyParameters(given);
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    return command.error(`error: ${error.message}`);
  }
}

/** Prints what a verification tells, and ends the command as it ended. */
class VerifyPrinter {
  readonly #context: CommandContext;
  readonly #options: Options;
  readonly #progress: Progress;

  constructor(context: CommandContext, options: Options) {
    this.#context = context;
    this.#options = options;
    this.#progress = new Progress(context);
  }

  through({ about }: OperationsClient): void {
    if (this.#options.json === true) return;
    this.#context.stderr(`Through the Baleen that is running here (process ${about.pid}).\n`);
  }

  /** @throws CommandFailure where something is wrong and was not repaired */
  async all(events: AsyncIterable<VerifyEvent>): Promise<void> {
    let left: number | undefined;
    for await (const event of events) {
      this.#print(event);
      if (event.event === 'result') left = event.problems - event.repaired;
    }
    this.#progress.clear();
    if (left === undefined) throw new CommandFailure('the verification was broken off');
    if (left > 0) throw new CommandFailure('');
  }

  #print(event: VerifyEvent): void {
    if (event.event === 'progress') {
      const { step, files, bytes } = event;
      this.#progress.show(`${step}: ${files} files, ${describeByteSize(bytes)}`);
      return;
    }
    this.#progress.clear();
    const { stdout } = this.#context;
    if (this.#options.json === true) stdout(`${JSON.stringify(event)}\n`);
    else stdout(this.#text(event));
  }

  #text(event: Exclude<VerifyEvent, { readonly event: 'progress' }>): string {
    switch (event.event) {
      case 'problem':
        return `${event.kind}: ${event.file}\n  ${event.detail}\n  ${outcomeOf(event)}\n`;
      case 'step': {
        const { step, files, bytes, problems, seconds } = event;
        const size = step.endsWith('blobs') ? `, ${describeByteSize(bytes)}` : '';
        const found = problems === 0 ? 'all is well' : `${problems} wrong`;
        return `${step}: ${files} files${size} in ${seconds} s: ${found}\n`;
      }
      case 'result': {
        const { problems, repaired, seconds } = event;
        if (problems === 0) return `All is well (${seconds} s).\n`;
        const left = problems - repaired;
        const advice =
          left > 0 && this.#options.repair !== true ? '; baleen verify --repair sets it right' : '';
        return `${problems} wrong, ${repaired} repaired, ${left} left (${seconds} s)${advice}\n`;
      }
    }
  }
}

/** What was done, or what is to be done. */
function outcomeOf({ kind, done, step }: Problem): string {
  if (done === 'quarantined') {
    return step.startsWith('hosted ')
      ? 'is in quarantine; there is no other copy here: push it again'
      : 'is in quarantine; it is fetched again when it is wanted';
  }
  if (done === 'mended') return 'is corrected';
  if (done === 'removed') return 'is removed';
  switch (kind) {
    case 'foreign':
      return 'Baleen does not use it: move it elsewhere';
    case 'unreadable':
      return 'nothing is known of its bytes: check the permissions and the disk';
    default:
      return '--repair takes care of it';
  }
}
