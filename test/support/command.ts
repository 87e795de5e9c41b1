import { Child, type ChildOptions } from './child.ts';

/** What a finished command printed. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command to its end, whatever that is. Killed, with its children, after `timeout` ms.
 */
export async function tryCommand(
  command: string,
  args: readonly string[],
  options: ChildOptions & { readonly timeout?: number } = {},
): Promise<CommandResult> {
  const child = new Child(command, args, options);
  const timer = setTimeout(() => void child.kill(), options.timeout ?? 60_000);
  const { code } = await child.exited;
  clearTimeout(timer);
  await child[Symbol.asyncDispose]();
  return { code: code ?? -1, stdout: child.stdout, stderr: child.stderr };
}

/**
 * Runs a command that has to succeed, and gives its standard output.
 * @throws Error with all that it printed
 */
export async function command(
  name: string,
  args: readonly string[],
  options: ChildOptions & { readonly timeout?: number } = {},
): Promise<string> {
  const { code, stdout, stderr } = await tryCommand(name, args, options);
  if (code === 0) return stdout;
  throw new Error(`${name} ${args.join(' ')}\nended with ${String(code)}\n${stdout}\n${stderr}`);
}
