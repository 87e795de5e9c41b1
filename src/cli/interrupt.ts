/** Told of SIGINT and SIGTERM, until it is disposed. */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Lets a command end its work cleanly when somebody stops it. Who asks twice does not want to wait for
 * that: the second signal ends the process as it does by default.
 */
export function interruptible(): Interrupt {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => controller.abort(new Interrupted(name));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => void process.off('SIGINT', stop).off('SIGTERM', stop),
  };
}

/** The reason of an interrupt's signal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`);
  }
}
