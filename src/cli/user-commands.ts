import { resolve } from 'node:path';
import { hashSync } from 'bcryptjs';
import type { Command } from 'commander';
import {
  accountNameFault,
  accountsOf,
  withAccount,
  withoutAccount,
} from '../access/htpasswd-file.ts';
import { askPassword } from './ask-password.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { editHtpasswd } from './htpasswd-edit.ts';
import { configFor } from './options.ts';

interface Options {
  readonly file?: string;
  readonly passwordStdin?: true;
}

/** 64 ms a check: what is dear for who guesses, and cheap for who logs in now and then. */
const cost = 10;

/** `baleen user add`, `passwd`, `remove` and `list` */
export function addUserCommands(program: Command, context: CommandContext): void {
  const user = program.command('user').description('look after the accounts in auth.htpasswd');
  const define = (name: string, description: string): Command =>
    user
      .command(name)
      .description(description)
      .option('--file <file>', 'this htpasswd file, whatever the configuration says');
  withPassword(define('add', 'add an account; makes the file where there is none')).action(
    async (name: string, options: Options, command: Command) => {
      const fault = accountNameFault(name);
      if (fault !== undefined) throw new CommandFailure(fault);
      const file = await editHtpasswd(fileFor(command, context));
      if (accountsOf(file.text).includes(name)) {
        throw new CommandFailure(`${name} is there already: baleen user passwd ${name}`);
      }
      const password = await askPassword(context, options.passwordStdin === true);
      await file.write(withAccount(file.text, { account: name, hash: hashSync(password, cost) }));
      context.stdout(`Added ${name}.\n`);
    },
  );
  withPassword(define('passwd', 'give an account another password')).action(
    async (name: string, options: Options, command: Command) => {
      const file = await editHtpasswd(fileFor(command, context));
      assertThere(file.text, name);
      const password = await askPassword(context, options.passwordStdin === true);
      await file.write(withAccount(file.text, { account: name, hash: hashSync(password, cost) }));
      context.stdout(`${name} has another password; the old one and its tokens are void.\n`);
    },
  );
  define('remove', 'remove an account')
    .argument('<name>')
    .action(async (name: string, _options: Options, command: Command) => {
      const file = await editHtpasswd(fileFor(command, context));
      assertThere(file.text, name);
      await file.write(withoutAccount(file.text, name));
      context.stdout(`Removed ${name}.\n`);
    });
  define('list', 'list the accounts').action(async (_options: Options, command: Command) => {
    const { text } = await editHtpasswd(fileFor(command, context));
    context.stdout(
      accountsOf(text)
        .map((name) => `${name}\n`)
        .join(''),
    );
  });
}

/** @throws CommandFailure, ConfigError */
function fileFor(command: Command, context: CommandContext): string {
  const { file } = command.opts<Options>();
  if (file !== undefined) return resolve(file);
  const path = configFor(command, context).auth?.htpasswd;
  if (path !== undefined) return path;
  throw new CommandFailure('the configuration names no auth.htpasswd: give --config or --file');
}

function assertThere(text: string, name: string): void {
  if (!accountsOf(text).includes(name)) throw new CommandFailure(`there is no account ${name}`);
}

function withPassword(command: Command): Command {
  return command
    .argument('<name>')
    .option('--password-stdin', 'read the password from standard input');
}
