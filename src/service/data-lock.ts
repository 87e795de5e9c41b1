import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FolderLock } from '../lib/folder-lock.ts';
import { RegistryError } from '../oci/errors.ts';
import { Layout } from '../store/layout.ts';
import type { Logger } from '../telemetry/logger.ts';

/** How long a service waits for its predecessor, which may be draining, in milliseconds. */
const patience = 60_000;

/** How often it looks whether that one has gone, in milliseconds. */
const interval = 200;

export interface ServiceLockOptions {
  /** `storage.directory` */
  readonly directory: string;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Milliseconds; a minute where absent. */
  readonly patience?: number;
}

/** Nothing is held: for a file system that knows no locks. */
const unlocked: Disposable = { [Symbol.dispose]: () => undefined };

/**
 * Makes sure that no other Baleen writes downloads in this data directory, and waits for one that is
 * about to stop. Where the file system has no locks or the file cannot be made, it warns and goes on.
 * @returns the lock; undefined where the signal ended the wait
 * @throws RegistryError UNAVAILABLE where the other one stays
 */
export async function lockForService(options: ServiceLockOptions): Promise<Disposable | undefined> {
  const { directory, logger, signal } = options;
  const deadline = performance.now() + (options.patience ?? patience);
  for (let isFirst = true; ; isFirst = false) {
    const lock = tryToLock(directory, (error) => {
      logger.warn(
        'the data directory cannot be locked; make sure that only one Baleen runs on it',
        { directory, error },
      );
    });
    if (lock !== undefined) return lock;
    if (signal.aborted) return undefined;
    if (performance.now() >= deadline) throw inUse(directory, 'one data directory is for one');
    if (isFirst) {
      logger.warn('another Baleen works on this data directory; waiting until it has stopped', {
        directory,
        patience_ms: options.patience ?? patience,
      });
    }
    await delay(interval, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * The same for a command that found no service to work through, and waits for nobody.
 * @param warn told where it goes on without a lock
 * @throws RegistryError UNAVAILABLE where somebody is at work there
 */
export function lockForCommand(directory: string, warn: (text: string) => void): Disposable {
  const lock = tryToLock(directory, (error) =>
    warn(`The data directory cannot be locked: ${String(error)}\n`),
  );
  if (lock !== undefined) return lock;
  throw inUse(
    directory,
    'its operations port cannot be reached here: set operations.listen, or stop it',
  );
}

function tryToLock(
  directory: string,
  cannotLock: (error: unknown) => void,
): Disposable | undefined {
  try {
    return FolderLock.take(join(new Layout(directory).root, 'lock'));
  } catch (error) {
    cannotLock(error);
    return unlocked;
  }
}

function inUse(directory: string, advice: string): RegistryError {
  return new RegistryError('UNAVAILABLE', `another Baleen works on ${directory}; ${advice}`);
}
