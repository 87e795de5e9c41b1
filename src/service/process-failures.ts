import type { Logger } from '../telemetry/logger.ts';
import { Occasional } from '../telemetry/occasional.ts';

/*
 * What nobody caught. A rejection that nobody handled has left what it belonged to undone, and
 * the service goes on. An exception that nobody caught may have left anything half done: the
 * process drains, and ends for its supervisor to start it anew.
 */

/** `rejection`: a promise's; `exception`: thrown out of the event loop. */
export type ProcessFailureKind = 'rejection' | 'exception';

/** The events of `process` that are listened to. */
export interface FailingProcess {
  on(
    event: 'unhandledRejection' | 'uncaughtException',
    listener: (error: unknown) => void,
  ): unknown;
}

export interface ProcessFailureOptions {
  readonly logger: Pick<Logger, 'error'>;
  readonly metrics: { processFailed(kind: ProcessFailureKind): void };
  /** Called once, at the first uncaught exception: ends the service in good order. */
  readonly stop: (failure: ProcessFailure) => void;
  /** Called where that is not done in time. */
  readonly exit: () => void;
}

/** Why the process stopped by itself. The log has the exception. */
export class ProcessFailure extends Error {
  override readonly name = 'ProcessFailure';

  constructor(cause: unknown) {
    super('stopped after an exception that nothing caught; the log tells which', { cause });
  }
}

/** Milliseconds that running transfers get to end after an uncaught exception, at most. */
export const failureGrace = 5_000;

/** Milliseconds after which the process ends even if closing hangs. */
const patience = failureGrace + 5_000;

/** Milliseconds between two log lines about the same rejection. */
const quiet = 10_000;

/** Listens for what nobody caught: until then, Node.js would end the process where it stands. */
export function watchForFailures(process: FailingProcess, options: ProcessFailureOptions): void {
  const { logger, metrics, stop, exit } = options;
  const occasional = new Occasional(quiet);
  let isStopping = false;
  process.on('unhandledRejection', (error) => {
    metrics.processFailed('rejection');
    const held = occasional.admit(error instanceof Error ? error.message : typeof error);
    if (held === undefined) return;
    logger.error('a promise was rejected and nobody handled it; the service goes on', {
      ...(held > 0 && { suppressed: held }),
      error: withStack(error),
    });
  });
  process.on('uncaughtException', (error) => {
    metrics.processFailed('exception');
    logger.error('an exception was not caught; the service drains and ends', {
      error: withStack(error),
    });
    if (isStopping) return;
    isStopping = true;
    setTimeout(exit, patience).unref();
    stop(new ProcessFailure(error));
  });
}

/** A bug's place is its stack, also where it bears a code; and what was thrown may be no error. */
function withStack(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return thrown ?? String(thrown);
  const failure = new Error(thrown.message, { cause: thrown });
  failure.stack = thrown.stack ?? thrown.message;
  return failure;
}
