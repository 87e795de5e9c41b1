/**
 * Files that are either wholly there or not at all, also after a power cut: written beside,
 * synced, renamed into place, and the folder synced so that the name survives too.
 *
 * Folders that are missing are made. Failures are the system's own (`code` ENOSPC, EACCES, …);
 * nothing is left behind in the temporary folder.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** One file to be written. */
export interface AtomicFile {
  readonly path: string;
  readonly bytes: string | Uint8Array;
  /** Modification time in milliseconds since the epoch; now where absent. */
  readonly mtime?: number | undefined;
  /** Who may do what with it, such as 0o600; what the process gives its files where absent. */
  readonly mode?: number | undefined;
}

export interface AtomicOptions {
  /** Where files grow before they are renamed; on the same file system as their destination. */
  readonly tmpDir: string;
  /** Whether to wait until the disk has them; true where absent. */
  readonly durable?: boolean;
}

/** Files being written at the same time in one batch. */
const width = 8;

/** Writes one file, replacing what was there. */
export async function writeFileAtomic(
  path: string,
  bytes: string | Uint8Array,
  options: AtomicOptions & { readonly mtime?: number | undefined },
): Promise<void> {
  await writeFilesAtomic([{ path, bytes, mtime: options.mtime }], options);
}

/**
 * Writes many small files, syncing each folder once. Each file is atomic, the batch is not: after
 * a failure some may be in place.
 */
export async function writeFilesAtomic(
  files: readonly AtomicFile[],
  { tmpDir, durable = true }: AtomicOptions,
): Promise<void> {
  if (files.length === 0) return;
  await mkdir(tmpDir, { recursive: true });
  const staged = files.map((file) => ({ file, temporary: join(tmpDir, randomUUID()) }));
  try {
    await eachOf(staged, ({ file, temporary }) => writeTemporary(temporary, file, durable));
    await eachOf(staged, ({ file, temporary }) => moveInto(temporary, file.path, durable));
  } finally {
    // After a rename there is nothing left to remove.
    await eachOf(staged, ({ temporary }) => rm(temporary, { force: true }));
  }
  if (durable) await eachOf([...new Set(files.map(({ path }) => dirname(path)))], syncDirectory);
}

/** Removes a file for good; gives whether there was one. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  try {
    await syncDirectory(dirname(path));
  } catch (error) {
    // Somebody took the empty folder away.
    if (!isMissing(error)) throw error;
  }
  return true;
}

/** Whether a failure says that a file or one of its folders does not exist. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

async function writeTemporary(path: string, file: AtomicFile, durable: boolean): Promise<void> {
  const handle = await open(path, 'wx', file.mode);
  try {
    await handle.writeFile(file.bytes);
    if (file.mtime !== undefined) {
      const time = new Date(file.mtime);
      await handle.utimes(time, time);
    }
    if (durable) await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Renames a file, its bytes synced by the caller, into a folder that may not exist yet; durable when it settles. */
export async function moveIntoPlace(temporary: string, path: string): Promise<void> {
  await moveInto(temporary, path, true);
  await syncDirectory(dirname(path));
}

/**
 * How often a folder is made anew that somebody else takes away since it is empty. Who removes
 * folders without a pause wins a dozen times in a row now and then, so ten are not enough.
 */
const attempts = 200;

/** Hopes that the folder is there, as it mostly is; makes it where it is not. */
async function moveInto(temporary: string, path: string, durable: boolean): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rename(temporary, path);
      return;
    } catch (error) {
      if (!isMissing(error) || attempt === attempts) throw error;
    }
    try {
      await makeDirectory(dirname(path), durable);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}

async function makeDirectory(path: string, durable: boolean): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined || !durable) return;
  // A new folder's name lives in its parent: sync from the parent of the first one made downwards.
  let folder = path;
  do {
    folder = dirname(folder);
    await syncDirectory(folder);
  } while (folder.length >= first.length);
}

/** Makes the names in a folder durable: what was created, renamed or removed there. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Runs the work on every item, a few at a time; waits for all, then fails with the first failure. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const item of rest) {
      try {
        await work(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
}
