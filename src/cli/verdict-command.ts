import { userInfo } from 'node:os';
import type { Command } from 'commander';
import type { VerdictDocument } from '../access/verdict.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';

interface SayOptions {
  readonly reason?: string;
  readonly expiresIn?: string;
  readonly by?: string;
}

const image = 'such as local/app:1.0, nginx@sha256:…, or a digest alone';

/** `baleen verdict` */
export function addVerdictCommands(program: Command, context: CommandContext): void {
  const verdict = program
    .command('verdict')
    .description('say which images may be pulled that are held back (hold in the configuration)');
  const say = (name: string, description: string, word: 'allow' | 'deny' | 'none'): Command =>
    verdict
      .command(name)
      .description(description)
      .argument('<image...>', image)
      .action(async (images: readonly string[], options: SayOptions, command: Command) => {
        const { reason, expiresIn: expires_in, by = userName() } = options;
        await using client = await runningBaleen(command, context);
        for (const each of images) {
          const answer = await client.post('verdicts', {
            ...targetOf(each),
            verdict: word,
            ...(word !== 'none' && { by, reason, expires_in }),
          });
          context.stdout(describe(answer as VerdictDocument));
        }
      });
  for (const [name, what] of [
    ['allow', 'let these images be pulled'],
    ['deny', 'let nobody pull these images'],
  ] as const) {
    say(name, what, name)
      .option('--reason <text>', 'why; who is refused is told')
      .option(
        '--expires-in <duration>',
        'for how long this counts, such as 7d; for ever without it',
      )
      .option('--by <name>', 'who says so; else your user name');
  }
  say('withdraw', 'take back what was said of these images', 'none');
  verdict
    .command('list')
    .description('show what was said, of one image or of all')
    .argument('[image]', image)
    .action(async (wanted: string | undefined, _options: unknown, command: Command) => {
      await using client = await runningBaleen(command, context);
      const query =
        wanted === undefined ? '' : `?${new URLSearchParams(targetOf(wanted)).toString()}`;
      for await (const document of client.list(`verdicts${query}`)) {
        context.stdout(describe(document as VerdictDocument));
      }
    });
}

function targetOf(text: string): { digest: string } | { image: string } {
  return /^sha(256|512):/.test(text) ? { digest: text } : { image: text };
}

/** Verdicts are in the memory of the service: there is no other way to it. */
async function runningBaleen(command: Command, context: CommandContext): Promise<OperationsClient> {
  const client = await OperationsClient.find(configFor(command, context));
  if (client !== undefined) return client;
  throw new CommandFailure(
    'no Baleen is running with this configuration, or its operations port is off (operations.listen)',
  );
}

function describe({ digest, verdict, by, at, expires, reason }: VerdictDocument): string {
  if (verdict === 'none') return `none   ${digest}\n`;
  const parts = [
    `${verdict.padEnd(6)} ${digest}`,
    by === undefined ? undefined : `by ${by}`,
    `at ${at}`,
    expires === undefined ? undefined : `until ${expires}`,
  ];
  const because = reason === undefined ? '' : `: ${reason}`;
  return `${parts.filter((part) => part !== undefined).join(' ')}${because}\n`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user may have no name.
    return 'command line';
  }
}
