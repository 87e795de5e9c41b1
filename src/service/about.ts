import { stat } from 'node:fs/promises';

/** What a running Baleen says of itself. */
export interface About {
  readonly version: string;
  readonly pid: number;
  /** The data directory, as this process calls it. */
  readonly directory: string;
  /** Which folder that is, whatever it is called: another container may know it by another path. */
  readonly folder: string;
}

/** `GET /api/about` */
export async function about(version: string, directory: string): Promise<About> {
  return { version, pid: process.pid, directory, folder: (await folderId(directory)) ?? '' };
}

/** The device and number by which the system knows a folder; undefined where it cannot be had. */
export async function folderId(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found && `${found.dev}:${found.ino}`;
}
