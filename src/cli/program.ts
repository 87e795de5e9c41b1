import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/config-error.ts';
import { addCatalogRebuild } from './catalog-rebuild.ts';
import { addCertSelfSigned } from './cert-self-signed.ts';
import { addConfigCheck } from './config-check.ts';
import { addConfigPrint } from './config-print.ts';
import { CommandFailure, exitCodes, type CommandContext } from './context.ts';
import { addExportCommand } from './export-command.ts';
import { addGcCommand } from './gc-command.ts';
import { helpEpilogue } from './help.ts';
import { addGlobalOptions } from './options.ts';
import { addMissingCommand } from './missing-command.ts';
import { addInventoryCommand } from './inventory-command.ts';
import { addImportCommand } from './import-command.ts';
import { addPinCommands } from './pin-commands.ts';
import { printableLines } from './printable.ts';
import { addPurgeCommand } from './purge-command.ts';
import { addSchedulesCommand } from './schedules-command.ts';
import { addServeCommand } from './serve-command.ts';
import { addVerifyCommand } from './verify-command.ts';
import { addStatsCommand } from './stats-command.ts';
import { addUserCommands } from './user-commands.ts';
import { addVerdictCommands } from './verdict-command.ts';
import { addWarmCommand } from './warm-command.ts';

/** The whole command line; it writes and exits only through the context and by throwing. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('baleen')
    .description('A pull-through cache and registry for container images.')
    .version(context.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .configureOutput({ writeOut: context.stdout, writeErr: context.stderr })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('Run baleen --help for how to use it.')
    .exitOverride()
    .addHelpText('after', helpEpilogue);
  addGlobalOptions(program);
  addServeCommand(program, context);
  addWarmCommand(program, context);
  addVerifyCommand(program, context);
  addPurgeCommand(program, context);
  addStatsCommand(program, context);
  addSchedulesCommand(program, context);
  addGcCommand(program, context);
  addPinCommands(program, context);
  addMissingCommand(program, context);
  addExportCommand(program, context);
  addInventoryCommand(program, context);
  addImportCommand(program, context);
  addUserCommands(program, context);
  addVerdictCommands(program, context);
  const catalog = program.command('catalog').description('look after what is known of tags');
  addCatalogRebuild(catalog, context);
  const cert = program.command('cert').description('make a certificate for TLS');
  addCertSelfSigned(cert, context);
  const config = program.command('config').description('check or print the configuration');
  addConfigCheck(config, context);
  addConfigPrint(config, context);
  return program;
}

/**
 * Runs one command.
 * @param args without node and the script
 * @returns the exit status. A fault of usage or configuration has been printed by then.
 * @throws whatever `serve` fails with: how to say that is for main to decide.
 */
export async function runProgram(
  args: readonly string[],
  context: CommandContext,
): Promise<number> {
  try {
    await createProgram(context).parseAsync(args, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof ConfigError) {
      context.stderr(`baleen: ${error.message}\n`);
      return exitCodes.usage;
    }
    if (error instanceof CommandFailure) {
      if (error.message !== '') context.stderr(`baleen: ${printableLines(error.message)}\n`);
      return exitCodes.failure;
    }
    // Commander gives help and version the status 0, and everything else is misuse.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    }
    throw error;
  }
}
