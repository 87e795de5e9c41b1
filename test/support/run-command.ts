import { Readable } from 'node:stream';
import { runProgram } from '../../src/cli/program.ts';

/** What a command printed, and how it ended. */
export interface CommandRun {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of Baleen in this process. */
export async function runCommand(
  args: readonly string[],
  world: {
    readonly env?: Record<string, string>;
    readonly tty?: boolean;
    readonly stdoutFd?: number;
  } = {},
): Promise<CommandRun> {
  let stdout = '';
  let stderr = '';
  const status = await runProgram(args, {
    actions: { serve: () => Promise.reject(new Error('nothing is to be served')) },
    env: world.env ?? {},
    version: '0',
    tty: world.tty ?? false,
    stdin: Readable.from([]),
    stdout: (text) => (stdout += text),
    stderr: (text) => (stderr += text),
    stdoutFd: world.stdoutFd,
  });
  return { status, stdout, stderr };
}
