import { readFile, stat } from 'node:fs/promises';
import type { WarmConfig, WarmScheduleConfig } from '../config/warm-config.ts';
import { readFailure } from '../config/files.ts';
import { RegistryError, toRegistryError } from '../oci/errors.ts';
import { parsePlatforms } from '../oci/platform.ts';
import { maxListSize } from '../warm/find-images.ts';
import { findImagesAside } from '../warm/find-images-aside.ts';
import type { ImageFailure } from '../warm/run-report.ts';
import type { WarmWish, WarmWishes } from '../warm/warm-wishes.ts';

/** What a run is to do, and what could not be understood of it. */
export interface Scheduled {
  readonly wishes: WarmWishes;
  readonly failures: readonly ImageFailure[];
}

/** What all runs have in common. */
export function commonWishes({ jobs, bandwidth }: WarmConfig): Omit<WarmWishes, 'images'> {
  return { referrers: false, jobs, dryRun: false, pin: false, bandwidth: bandwidth ?? Infinity };
}

/** Reads what a schedule wants now; a list that cannot be read leaves the others as they are. */
export async function scheduledImages(
  warm: WarmConfig,
  schedule: WarmScheduleConfig,
): Promise<Scheduled> {
  const { referrers, pin, newest } = schedule;
  const platforms = parsePlatforms(schedule.platforms ?? warm.platforms);
  const images: WarmWish[] = schedule.images.map((reference) => ({
    reference,
    platforms,
    newest,
  }));
  const failures: ImageFailure[] = [];
  for (const file of schedule.files) {
    try {
      const found = await findImagesAside(await readList(file));
      for (const image of found.images) {
        const chosen = image.platforms === undefined ? platforms : parsePlatforms(image.platforms);
        const { reference } = image;
        images.push({ reference, platforms: chosen, newest: image.newest ?? newest });
      }
      for (const { line, message } of found.faults) {
        const place = line === undefined ? file : `${file}:${line}`;
        failures.push({ image: place, code: 'NAME_INVALID', message });
      }
    } catch (error) {
      const { code, message } = toRegistryError(error);
      failures.push({ image: file, code, message });
    }
  }
  return { wishes: { ...commonWishes(warm), images, referrers, pin }, failures };
}

/** @throws RegistryError REQUEST_INVALID */
async function readList(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > maxListSize) throw new RegistryError('REQUEST_INVALID', 'the list is too large');
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof RegistryError) throw error;
    throw new RegistryError('REQUEST_INVALID', readFailure(error), { cause: error });
  }
}
