import type { Command } from 'commander';
import { printConfig } from '../config/redact.ts';
import type { CommandContext } from './context.ts';
import { configFor } from './options.ts';

/** `baleen config print` */
export function addConfigPrint(parent: Command, context: CommandContext): void {
  parent
    .command('print')
    .description(
      'print the effective configuration as YAML, defaults filled in, secrets starred out',
    )
    .action((_options: unknown, command: Command) => {
      context.stdout(printConfig(configFor(command, context)));
    });
}
