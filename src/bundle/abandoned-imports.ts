import { rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { importsFolder, isStagingId, lockStaging, namesIn } from './staging.ts';

/** How long nothing may have happened to what is staged before nobody comes back for it, in milliseconds. */
export const stagingTtl = 86_400_000;

/**
 * Removes what was staged before a time and never adopted, unless somebody is still at work on it; gives how
 * many imports that were.
 */
export async function removeAbandonedImports(root: string, before: number): Promise<number> {
  const parent = importsFolder(root);
  let count = 0;
  for (const id of await namesIn(parent)) {
    if (!isStagingId(id) || (await lastChange(join(parent, id))) >= before) continue;
    using lock = lockStaging(root, id);
    if (lock === undefined) continue;
    await rm(join(parent, id), { recursive: true, force: true });
    count++;
  }
  if (count > 0) await rmdir(parent).catch(() => undefined);
  return count;
}

/** Milliseconds since the epoch. */
async function lastChange(folder: string): Promise<number> {
  const paths = [folder, ...(await namesIn(folder)).map((name) => join(folder, name))];
  const times = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  return Math.max(...times);
}
