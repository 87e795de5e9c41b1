import { Option, type Command } from 'commander';
import { logLevels, type Config } from '../config/config.ts';
import type { Override } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import type { CommandContext } from './context.ts';

/** Options of the program itself: they may stand before or after the command's name. */
interface GlobalOptions {
  readonly config?: string;
  readonly listen?: string;
  readonly data?: string;
  readonly logLevel?: string;
  readonly hosted?: string;
}

/** Which setting an option overrides. */
const settings = {
  listen: { path: ['server', 'listen'], source: '--listen' },
  data: { path: ['storage', 'directory'], source: '--data' },
  hosted: { path: ['hosted', 'repositories'], source: '--hosted' },
  logLevel: { path: ['log', 'level'], source: '--log-level' },
} as const;

/** Adds `--config` and the options that override a setting. */
export function addGlobalOptions(program: Command): Command {
  return program
    .option(
      '-c, --config <file>',
      'read this YAML file (else the one in BALEEN_CONFIG, else defaults)',
    )
    .option('--listen <address>', 'serve the registry here, such as 127.0.0.1:5000 or :5000')
    .option('--data <directory>', 'keep images here')
    .option('--hosted <globs>', "host repositories of such names, to push to, such as '*'")
    .addOption(
      new Option('--log-level <level>', 'log what is at least this grave').choices(logLevels),
    );
}

/**
 * The configuration that a command works with.
 * @throws ConfigError
 */
export function configFor(command: Command, { env, tty }: CommandContext): Config {
  const options = command.optsWithGlobals<GlobalOptions>();
  const overrides = Object.entries(settings).flatMap(([name, setting]): Override[] => {
    const value = options[name as keyof typeof settings];
    if (value === undefined) return [];
    return [{ ...setting, value: name === 'hosted' ? value.split(',') : value }];
  });
  return loadConfig({ file: options.config, env, overrides, tty });
}
