import type { ProcessFailure } from './process-failures.ts';

/** Why the process has to stop: it was told to, or it failed. */
export type StopReason = NodeJS.Signals | ProcessFailure;

/** SIGTERM, SIGINT or a failure, once; a second signal ends the process at once. */
export interface StopSignal {
  /** Aborted as soon as the process has to stop. */
  readonly signal: AbortSignal;
  /** Settles then, with the reason. */
  readonly received: Promise<StopReason>;
  /** Stops it for another reason. */
  readonly stop: (reason: StopReason) => void;
}

/** Listens for the signals by which a process is told to stop. */
export function stopSignal(): StopSignal {
  const controller = new AbortController();
  const { promise: received, resolve } = Promise.withResolvers<StopReason>();
  const stop = (reason: StopReason): void => {
    controller.abort();
    resolve(reason);
  };
  const onSignal = (name: NodeJS.Signals): void => {
    // Whoever asks twice does not want to wait for a grace. Status as of a shell's.
    if (controller.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
    stop(name);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return { signal: controller.signal, received, stop };
}
