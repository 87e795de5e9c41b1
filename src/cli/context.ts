import type { Readable } from 'node:stream';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/environment.ts';
import type { TerminalSize } from './live-lines.ts';

/** What a command can do besides printing; main injects it. */
export interface Actions {
  /**
   * Runs the registry until it is told to stop, and resolves when it has drained.
   * @param reread reads the configuration again, as it was read; throws ConfigError
   */
  serve(config: Config, reread: () => Config): Promise<void>;
}

/** Standard input: a terminal where it has a raw mode, in which it shows nothing of what is typed. */
export type Input = Readable & {
  readonly isTTY?: boolean | undefined;
  setRawMode?(isRaw: boolean): unknown;
};

/** The world a command lives in, so that tests can give it another. */
export interface CommandContext {
  readonly actions: Actions;
  readonly env: Environment;
  readonly version: string;
  /** Whether standard output is a person's terminal. */
  readonly tty: boolean;
  readonly stdin: Input;
  /** How large that terminal is now; undefined where nobody knows. */
  readonly terminalSize?: () => TerminalSize | undefined;
  /** Writes text as it is: newlines are the caller's. */
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Standard output as a file descriptor, for what is no text; 1 where absent. */
  readonly stdoutFd?: number | undefined;
}

/** A command has said what is wrong, or has it as the message; the process ends with `failure`. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
}

/** How the process ends; documented in the help. */
export const exitCodes = {
  ok: 0,
  /** It started, or tried to, and failed; or a check has found something wrong. */
  failure: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
} as const;
