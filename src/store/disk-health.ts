import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../lib/atomic-file.ts';

/**
 * How the disk is:
 * - `ok`
 * - `full`: no room, or no quota left (ENOSPC, EDQUOT)
 * - `read-only` (EROFS), as Linux remounts a file system that has errors
 * - `failing`: input and output errors (EIO), or permissions that were taken away
 * - `descriptors`: the process, or the system, has no file descriptor left (EMFILE, ENFILE)
 */
export type DiskState = 'ok' | 'full' | 'read-only' | 'failing' | 'descriptors';

const states: Readonly<Record<string, DiskState>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'read-only',
  EIO: 'failing',
  EACCES: 'failing',
  EPERM: 'failing',
  ESTALE: 'failing',
  ENOTCONN: 'failing',
  EMFILE: 'descriptors',
  ENFILE: 'descriptors',
};

/** What a failure says of the disk; undefined where it is no fault of the disk's. */
export function diskStateOf(error: unknown): DiskState | undefined {
  const { code, cause } = Object(error) as { code?: unknown; cause?: unknown };
  const state = typeof code === 'string' ? states[code] : undefined;
  // Whoever wraps a failure of the disk says in the cause what it was.
  return state ?? (cause === undefined ? undefined : diskStateOf(cause));
}

/** Milliseconds between two trials of a disk that failed. */
const trialPause = 5_000;

/** Bytes of a trial: with less room than that it is still full. */
const trialSize = 1024 * 1024;

/** Knows how the disk is, from failures as they come and, after one, from trials of its own. */
export class DiskHealth {
  readonly #tmpDir: string;
  readonly #changed: (state: DiskState) => void;
  #state: DiskState = 'ok';
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param tmpDir a folder on the disk for trials
   * @param changed told of every new state
   */
  constructor(tmpDir: string, changed: (state: DiskState) => void) {
    this.#tmpDir = tmpDir;
    this.#changed = changed;
  }

  get state(): DiskState {
    return this.#state;
  }

  /** Takes note of a failure. */
  failed(error: unknown): void {
    const state = diskStateOf(error);
    if (state === undefined) return;
    this.#timer ??= setInterval(() => void this.#try(), trialPause).unref();
    this.#set(state);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #try(): Promise<void> {
    const path = join(this.#tmpDir, 'trial');
    try {
      await writeFileAtomic(path, randomBytes(trialSize), { tmpDir: this.#tmpDir });
      await rm(path);
    } catch (error) {
      this.failed(error);
      return;
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#set('ok');
  }

  #set(state: DiskState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#changed(state);
  }
}
