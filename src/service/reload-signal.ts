import { closeSync, openSync } from 'node:fs';

/** SIGHUP, by which a service is told to read its configuration again. */
export interface ReloadSignal {
  /** Says what to do; at once, too, where the signal came before. */
  onReceived(reload: () => void): void;
}

/**
 * Listens from now on. A terminal that closes sends the same signal: whoever ran Baleen in it
 * expects it to end.
 * @param hasTerminal whether it was started in one
 */
export function reloadSignal(hasTerminal: boolean, stop: () => void): ReloadSignal {
  let isPending = false;
  let reload: (() => void) | undefined;
  process.on('SIGHUP', () => {
    if (hasTerminal && !isTerminalThere()) stop();
    else if (reload === undefined) isPending = true;
    else reload();
  });
  return {
    onReceived(given) {
      reload = given;
      if (isPending) reload();
      isPending = false;
    },
  };
}

function isTerminalThere(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
