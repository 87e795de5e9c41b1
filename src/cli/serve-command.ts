import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { didYouMean } from '../config/near-match.ts';
import type { CommandContext } from './context.ts';
import { configFor } from './options.ts';

/** `baleen serve`, which is also what `baleen` alone does. */
export function addServeCommand(program: Command, context: CommandContext): void {
  program
    .command('serve', { isDefault: true })
    .description('run the registry (this is what happens without a command)')
    // A mistyped command arrives here as an argument of the default one.
    .allowExcessArguments(true)
    .action(async (_options: unknown, command: Command) => {
      const [word] = command.args;
      if (word !== undefined) {
        const known = program.commands.map((each) => each.name());
        program.error(
          `error: there is no command ${JSON.stringify(word)}${didYouMean(word, known)}`,
        );
      }
      const read = (): Config => configFor(command, context);
      await context.actions.serve(read(), read);
    });
}
