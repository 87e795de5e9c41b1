import { closeSync, openSync } from 'node:fs';
import type { Logger } from '../telemetry/logger.ts';

/*
 * Whether the process may still open files. Without one left the kernel's new connections are
 * closed as soon as they are accepted, and nobody is told: libuv keeps one descriptor in reserve
 * for just that. So the process looks for itself.
 */

export interface DescriptorWatchOptions {
  /** @throws the system's error where no file can be opened */
  readonly probe?: () => void;
  readonly logger: Pick<Logger, 'error' | 'info'>;
  readonly metrics: { descriptorsExhausted(areExhausted: boolean): void };
  /** Lets go of what can be spared; called as long as there is none left. */
  readonly relieve: () => void;
  /** Milliseconds between two looks. */
  readonly interval?: number;
}

/** Codes of the system for "no more files": of this process, and of the whole machine. */
const exhausted: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE']);

/** Watches until the signal is aborted; keeps no process alive. */
export function watchDescriptors(options: DescriptorWatchOptions, signal: AbortSignal): void {
  const { probe = openAndClose, logger, metrics, relieve, interval = 1_000 } = options;
  let wereExhausted = false;
  const look = (): void => {
    const failure = failureOf(probe);
    const areExhausted = exhausted.has(failure?.code);
    if (areExhausted) relieve();
    if (areExhausted === wereExhausted) return;
    wereExhausted = areExhausted;
    metrics.descriptorsExhausted(areExhausted);
    if (areExhausted) {
      logger.error(
        'no more files can be opened: new connections are closed, and misses fail; raise the limit (ulimit -n, LimitNOFILE)',
        { error: failure },
      );
    } else {
      logger.info('files can be opened again');
    }
  };
  const timer = setInterval(look, interval).unref();
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}

function failureOf(probe: () => void): NodeJS.ErrnoException | undefined {
  try {
    probe();
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

function openAndClose(): void {
  closeSync(openSync('/dev/null', 'r'));
}
