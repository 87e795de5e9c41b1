import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../lib/atomic-file.ts';
import type { Layout } from './layout.ts';

/** What a crash left behind, and nobody will ever come back for. */
export interface Leftover {
  readonly path: string;
  readonly kind: 'half-written file' | 'download without data';
}

/**
 * How long nothing may have happened to a file under way before it counts as left behind, in
 * milliseconds. What another process is at work on is younger: a file stays in `tmp/` for as long
 * as it takes to write a small one, and a spool is without data only until it is opened.
 */
export const leftoverAge = 10 * 60_000;

/**
 * Finds half-written files and spools without a file of data. Partial downloads are none: they are
 * hashed again and gone on with, for as long as `storage.spool_ttl` says.
 * @param before milliseconds since the epoch: what changed later is somebody's work
 */
export async function* findLeftovers(layout: Layout, before: number): AsyncGenerator<Leftover> {
  for (const name of await entries(layout.temporary)) {
    const path = join(layout.temporary, name);
    if (await isOlder(path, before)) yield { path, kind: 'half-written file' };
  }
  for (const name of await entries(layout.spool)) {
    const path = join(layout.spool, name);
    if ((await isMissingFile(join(path, 'data'))) && (await isOlder(path, before)))
      yield { path, kind: 'download without data' };
  }
}

/** Removes them; gives how many. */
export async function removeLeftovers(layout: Layout, before: number): Promise<number> {
  let count = 0;
  for await (const { path } of findLeftovers(layout, before)) {
    await removeLeftover(path);
    count++;
  }
  return count;
}

export async function removeLeftover(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

async function isMissingFile(path: string): Promise<boolean> {
  try {
    await stat(path);
    return false;
  } catch (error) {
    return isMissing(error);
  }
}

async function isOlder(path: string, before: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && found.mtimeMs < before && found.ctimeMs < before;
}

async function entries(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
