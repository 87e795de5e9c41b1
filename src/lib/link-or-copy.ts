import { copyFile, link, open } from 'node:fs/promises';
import { isMissing } from './atomic-file.ts';

/**
 * Gives a file a second name; both are good from then on, also where one of them goes. Copies it, and syncs
 * the copy, where the file system has no hard links, or too many of this one, or where there are two.
 * @throws the file system's error
 */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (isMissing(error)) throw error;
    await copyFile(from, to);
    const file = await open(to, 'r+');
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}
