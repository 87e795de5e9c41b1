import { chmod, chown, readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMissing, writeFilesAtomic } from '../lib/atomic-file.ts';
import { CommandFailure } from './context.ts';

/** A file of accounts while it is edited. */
export interface EditedHtpasswd {
  readonly text: string;
  /** Puts another text in its place: with its owner and its permissions, or for nobody else's eyes where it is new. */
  write(text: string): Promise<void>;
}

/**
 * Opens a file of accounts; one that is not there yet is empty.
 * @throws CommandFailure where it cannot be read
 */
export async function editHtpasswd(path: string): Promise<EditedHtpasswd> {
  try {
    // A link stays one: what it leads to is replaced.
    const target = await realpath(path);
    const { uid, gid, mode } = await stat(target);
    const text = await readFile(target, 'utf8');
    return {
      text,
      async write(next) {
        await replace(target, next, mode & 0o777);
        // Not what the umask left of it.
        await chmod(target, mode & 0o777);
        if (process.getuid?.() === 0) await chown(target, uid, gid);
      },
    };
  } catch (error) {
    if (!isMissing(error)) throw new CommandFailure((error as Error).message, { cause: error });
    return { text: '', write: (next) => replace(path, next, 0o600) };
  }
}

async function replace(path: string, text: string, mode: number): Promise<void> {
  try {
    await writeFilesAtomic([{ path, bytes: text, mode }], { tmpDir: dirname(path) });
  } catch (error) {
    throw new CommandFailure((error as Error).message, { cause: error });
  }
}
