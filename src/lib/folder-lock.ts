import { accessSync, constants, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** SQLite's code for a file that somebody else has locked (sqlite.org/rescode.html). */
const busy = 5;

/** How long two processes that want the lock at the same moment wait for each other, in milliseconds. */
const patience = 1_000;

/**
 * A lock on a file that one process at a time holds, and that the kernel gives back the moment that
 * process is gone, however it ended. Node.js has no such lock of its own; SQLite takes one on any
 * file that it opens. Nothing is ever written into it, so a full disk is no obstacle.
 *
 * What is held is a lock for reading: a file that is open for writing would keep its file system from
 * being remounted read-only. Who comes finds out with one for writing whether there is a reader, and
 * has a gate to itself until it is one.
 */
export class FolderLock implements Disposable {
  readonly #held: DatabaseSync;

  private constructor(held: DatabaseSync) {
    this.#held = held;
  }

  /**
   * Takes the lock; undefined where it is held, be it by this process.
   * @param path of a file for this purpose alone; made where it is missing, as is `<path>.gate`
   * @throws the system's error where there can be no such file, and SQLite's where the file system
   *   knows no locks
   */
  static take(path: string): FolderLock | undefined {
    mkdirSync(dirname(path), { recursive: true });
    const gate = lockToWrite(`${path}.gate`, patience);
    if (gate === undefined) return undefined;
    try {
      const writer = lockToWrite(path, 0);
      writer?.close();
      return writer === undefined ? undefined : new FolderLock(lockToRead(path));
    } finally {
      gate.close();
    }
  }

  /** Gives it back. */
  [Symbol.dispose](): void {
    this.#held.close();
  }
}

/** Keeps everybody else out; undefined where somebody is in. */
function lockToWrite(path: string, timeout: number): DatabaseSync | undefined {
  const database = new DatabaseSync(path, { timeout });
  try {
    // SQLite opens what it may not write to all the same, and then locks nobody out.
    accessSync(path, constants.W_OK);
    // A journal in memory: none beside the file, not even an empty one.
    database.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
}

/** Keeps out those who lock to write. The lock stays from the first read until the end. */
function lockToRead(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 0, readOnly: true });
  try {
    database.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN; SELECT * FROM sqlite_schema');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** The low byte is the code; what is above it tells more. */
function isBusy(error: unknown): boolean {
  const { errcode } = error as { readonly errcode?: number };
  return errcode !== undefined && (errcode & 0xff) === busy;
}
