/** SIGTERM or SIGINT, once; a second one ends the process at once. */
export interface StopSignal {
  /** Aborted as soon as the process has been told to stop. */
  readonly signal: AbortSignal;
  /** Settles then, with the signal's name. */
  readonly received: Promise<NodeJS.Signals>;
}

/** Listens for the signals by which a process is told to stop. */
export function stopSignal(): StopSignal {
  const controller = new AbortController();
  const received = new Promise<NodeJS.Signals>((resolve) => {
    const onSignal = (name: NodeJS.Signals): void => {
      // Whoever asks twice does not want to wait for a grace. Status as of a shell's.
      if (controller.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
      controller.abort();
      resolve(name);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
  return { signal: controller.signal, received };
}
