import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer } from './messages.ts';

/** A module of the bench that runs in a process of its own and answers one message at a time. */
export class Child {
  readonly #process: ChildProcess;

  constructor(module: string) {
    this.#process = fork(fileURLToPath(new URL(module, import.meta.url)), { execArgv: [] });
    // Whoever waits is told by `exit`; a message that could not be sent rejects in `ask`.
    this.#process.on('error', () => undefined);
  }

  /** It has ended and answers no more. */
  get isOver(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** The next message of the child. Rejects where it ends, reports an error, or takes longer than `timeout` milliseconds. */
  async next<T>(timeout: number): Promise<T> {
    const child = this.#process;
    const settled = Promise.withResolvers<T>();
    const onMessage = (answer: Answer<T>): void => {
      if ('error' in answer) settled.reject(new Error(answer.error));
      else settled.resolve(answer.value);
    };
    const onExit = (code: number | null, signal: string | null): void => {
      settled.reject(new Error(`a process of the bench ended unexpectedly (${signal ?? code})`));
    };
    const timer = setTimeout(() => {
      settled.reject(new Error(`no answer within ${timeout / 1000} s`));
    }, timeout);
    child.on('message', onMessage).on('exit', onExit);
    try {
      return await settled.promise;
    } finally {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit);
    }
  }

  async ask<T>(message: object, timeout: number): Promise<T> {
    if (this.isOver) throw new Error('a process of the bench has ended');
    const answer = this.next<T>(timeout);
    this.#process.send(message);
    return answer;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}
