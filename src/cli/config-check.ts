import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { configFor } from './options.ts';

/** `baleen config check` */
export function addConfigCheck(parent: Command, context: CommandContext): void {
  parent
    .command('check')
    .description('say whether the configuration can be used, and list everything that is wrong')
    .action((_options: unknown, command: Command) => {
      const { upstreams } = configFor(command, context);
      const count = Object.keys(upstreams).length;
      context.stdout(`The configuration is good: ${count} upstream${count === 1 ? '' : 's'}.\n`);
    });
}
