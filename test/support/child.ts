import { spawn, type ChildProcess } from 'node:child_process';
import { forgetProcess, killGroup, noteProcess } from './run-directory.ts';
import { waitFor } from './wait-for.ts';

export interface ChildOptions {
  readonly cwd?: string;
  /** Laid over this process's own environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A long-running process in a group of its own, its output kept. */
export class Child implements AsyncDisposable {
  readonly name: string;
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  #exit: Exit | undefined;
  #stdout = '';
  #stderr = '';

  constructor(command: string, args: readonly string[], options: ChildOptions = {}) {
    this.name = command.split('/').at(-1) ?? command;
    this.#process = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (this.#process.pid !== undefined) noteProcess(this.#process.pid, this.name);
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit): void => {
        this.#exit = exit;
        resolve(exit);
      };
      this.#process.once('error', (error) => {
        this.#stderr += String(error);
        end({ code: 127, signal: null });
      });
      this.#process.once('close', (code, signal) => {
        end({ code, signal });
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** How it ended, or undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Signals the process itself; its children are its own business. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Waits for a condition, and fails at once, with the output, where the process ends before. */
  async until<T>(what: string, probe: () => T | Promise<T>, timeout?: number): Promise<void> {
    await waitFor(
      `${this.name}: ${what}`,
      async () => this.#exit ?? (await probe()),
      timeout,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.tail()}`);
    });
    if (this.#exit !== undefined) {
      throw new Error(`${this.name} ended with ${JSON.stringify(this.#exit)}\n${this.tail()}`);
    }
  }

  /** The last of what it printed. */
  tail(length = 4000): string {
    return `${this.#stdout.slice(-length)}\n${this.#stderr.slice(-length)}`;
  }

  /** SIGTERM, and SIGKILL to the whole group where that takes longer than `grace` milliseconds. */
  async stop(grace = 10_000): Promise<Exit> {
    const timer = setTimeout(() => {
      killGroup(this.pid, 'SIGKILL');
    }, grace);
    this.signal('SIGTERM');
    const exit = await this.exited;
    clearTimeout(timer);
    this.#bury();
    return exit;
  }

  /** SIGKILL to the whole group. */
  async kill(): Promise<Exit> {
    killGroup(this.pid, 'SIGKILL');
    const exit = await this.exited;
    this.#bury();
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#exit === undefined) await this.stop();
    else this.#bury();
  }

  #bury(): void {
    if (this.pid === -1) return;
    killGroup(this.pid, 'SIGKILL');
    forgetProcess(this.pid);
  }
}
