import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { RegistryError } from '../oci/errors.ts';

/** What a worker is asked. */
export interface Comparison {
  readonly id: number;
  readonly password: string;
  readonly hash: string;
}

/** What it answers. */
export interface Compared {
  readonly id: number;
  readonly isRight: boolean;
}

/** Compares a password with a bcrypt hash. */
export interface PasswordChecks {
  /**
   * @param client whoever asks: no client may fill the queue alone
   * @throws RegistryError UNAVAILABLE, at once: too many are waiting; later: it took too long
   */
  compare(password: string, hash: string, client: string): Promise<boolean>;
}

interface Waiting extends Comparison {
  readonly client: string;
  readonly settle: (isRight: boolean) => void;
  readonly fail: (error: Error) => void;
  readonly deadline: NodeJS.Timeout;
}

interface Thread {
  readonly worker: Worker;
  current: Waiting | undefined;
  /** Ends it where nothing more comes. */
  rest: NodeJS.Timeout | undefined;
}

/** Comparisons that may wait, of all clients together and of one. */
const longestQueue = { all: 64, client: 32 } as const;

/** Milliseconds that a comparison may take, its wait included. */
const patience = 15_000;

/** Milliseconds after which a thread with nothing to do is ended: it holds some 20 MB. */
const longestRest = 60_000;

/** Of threads: one less than there are processors, since they are busy to the full. */
const maxThreads = 2;

/**
 * Compares passwords in threads of their own, a few at once, started when they are first needed. The
 * rest wait in order of arrival.
 */
export class PasswordThreads implements PasswordChecks {
  readonly #most = Math.max(1, Math.min(maxThreads, availableParallelism() - 1));
  readonly #threads = new Set<Thread>();
  readonly #rest: number;
  readonly #queue: Waiting[] = [];
  #count = 0;
  #isClosed = false;

  /** @param rest milliseconds after which a thread with nothing to do is ended */
  constructor(rest = longestRest) {
    this.#rest = rest;
  }

  /** Threads that are there. */
  get threads(): number {
    return this.#threads.size;
  }

  /** Comparisons that wait for a thread. */
  get waiting(): number {
    return this.#queue.length;
  }

  compare(password: string, hash: string, client: string): Promise<boolean> {
    const ofClient = this.#queue.filter((waiting) => waiting.client === client).length;
    const isFull = this.#queue.length >= longestQueue.all || ofClient >= longestQueue.client;
    if (isFull || this.#isClosed) throw overloaded();
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const id = ++this.#count;
    const deadline = setTimeout(() => this.#giveUp(id, reject), patience).unref();
    this.#queue.push({ id, password, hash, client, settle: resolve, fail: reject, deadline });
    this.#next();
    return promise;
  }

  /** Ends the threads; what waits fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const threads = [...this.#threads];
    for (const thread of threads) this.#end(thread, overloaded());
    for (const { fail, deadline } of this.#queue.splice(0)) {
      clearTimeout(deadline);
      fail(overloaded());
    }
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }

  #next(): void {
    while (this.#queue.length > 0) {
      const thread = this.#idleThread();
      const waiting = thread && this.#queue.shift();
      if (waiting === undefined) return;
      clearTimeout(thread!.rest);
      thread!.current = waiting;
      const { id, password, hash } = waiting;
      thread!.worker.postMessage({ id, password, hash } satisfies Comparison);
    }
  }

  #idleThread(): Thread | undefined {
    const idle = [...this.#threads].find(({ current }) => current === undefined);
    if (idle !== undefined || this.#threads.size >= this.#most) return idle;
    const worker = startWorker();
    const thread: Thread = { worker, current: undefined, rest: undefined };
    worker.on('message', ({ isRight }: Compared) => {
      const { current } = thread;
      thread.current = undefined;
      clearTimeout(current?.deadline);
      current?.settle(isRight);
      thread.rest = setTimeout(() => this.#retire(thread), this.#rest).unref();
      this.#next();
    });
    // A thread that fails is a bug, or memory that ran out; the next comparison gets a new one.
    worker.on('error', (cause) => this.#end(thread, unavailable(cause)));
    worker.on('exit', () => this.#end(thread, unavailable(undefined)));
    this.#threads.add(thread);
    return thread;
  }

  #retire(thread: Thread): void {
    this.#threads.delete(thread);
    void thread.worker.terminate();
  }

  #end(thread: Thread, reason: RegistryError): void {
    this.#threads.delete(thread);
    clearTimeout(thread.rest);
    clearTimeout(thread.current?.deadline);
    thread.current?.fail(reason);
    thread.current = undefined;
    if (!this.#isClosed) this.#next();
  }

  /** What has waited too long has lost its place; what a thread works on is only not waited for. */
  #giveUp(id: number, fail: (error: Error) => void): void {
    const index = this.#queue.findIndex((waiting) => waiting.id === id);
    if (index >= 0) this.#queue.splice(index, 1);
    fail(overloaded());
  }
}

function startWorker(): Worker {
  // Built, the file beside this one ends in .js.
  const file = import.meta.url.endsWith('.ts') ? './password-worker.ts' : './password-worker.js';
  const worker = new Worker(new URL(file, import.meta.url), {
    name: 'passwords',
    // Flags of the process that tune its heap or its tests are none of a thread's.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
  });
  worker.unref();
  return worker;
}

function overloaded(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'too many passwords are being checked', {
    retryAfter: 2,
  });
}

function unavailable(cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the password could not be checked', { cause });
}
