import { stat } from 'node:fs/promises';
import { isMissing } from '../lib/atomic-file.ts';

/** Which file that is, whatever its name: the device, and its number there. */
export type FileId = `${number}:${number}`;

export function fileIdOf({ dev, ino }: { readonly dev: number; readonly ino: number }): FileId {
  return `${dev}:${ino}`;
}

/** Which file a path leads to; undefined where there is none. */
export async function fileId(path: string): Promise<FileId | undefined> {
  try {
    return fileIdOf(await stat(path));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
