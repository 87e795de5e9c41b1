import { parseByteSize } from '../lib/byte-size.ts';
import { RegistryError } from '../oci/errors.ts';
import { parsePlatforms, type Platforms } from '../oci/platform.ts';
import type { WarmWish, WarmWishes } from '../warm/warm-wishes.ts';

/** More would be a list that something else should keep. */
const maxImages = 10_000;

/** Images, and blobs, at work at the same time where nobody says how many: more would crowd clients out. */
export const usualJobs = 4;
const maxJobs = 64;

/**
 * Reads what `baleen warm` and `POST /api/warm` are given:
 * - `images`: each its reference as text, or `{reference, platforms, newest}`, where `newest` says how
 *   many of the newest versions a pattern of tags stands for (every tag that fits)
 * - `platforms`: such as `["linux/amd64", "linux/arm/v7"]`, or `["all"]` (this machine's)
 * - `referrers` (false), `dry_run` (false), `pin` (false)
 * - `jobs`: images of an upstream, and blobs, at work at the same time (4)
 * - `bandwidth`: bytes a second over all of it, as a number or a size such as `50MiB` (no limit)
 * @throws RegistryError REQUEST_INVALID
 */
export function warmParameters(given: object): WarmWishes {
  const {
    images,
    platforms = [hostPlatform()],
    referrers = false,
    jobs = usualJobs,
    dry_run: dryRun = false,
    pin = false,
    bandwidth,
    ...unknown
  } = given as Record<string, unknown>;
  refuseUnknown(unknown);
  if (!Array.isArray(images) || images.length === 0 || images.length > maxImages) {
    throw invalid(`images has to be a list of 1 to ${maxImages} images`);
  }
  const usual = platformsOf(platforms);
  return {
    images: images.map((image: unknown) => wishOf(image, usual)),
    referrers: flag(referrers, 'referrers'),
    jobs: count(jobs, 'jobs', maxJobs),
    dryRun: flag(dryRun, 'dry_run'),
    pin: flag(pin, 'pin'),
    bandwidth: bandwidth === undefined ? Infinity : rate(bandwidth),
  };
}

/** What machines like this one run. */
export function hostPlatform(): string {
  return `linux/${architectures[process.arch] ?? process.arch}`;
}

/** Node.js' names, where they are not everybody's (docs of `process.arch`). */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

function wishOf(image: unknown, usual: Platforms): WarmWish {
  const given = typeof image === 'string' ? { reference: image } : image;
  if (typeof given !== 'object' || given === null) throw invalid('an image has to be an object');
  const { reference, platforms, newest, ...unknown } = given as Record<string, unknown>;
  refuseUnknown(unknown);
  if (typeof reference !== 'string') throw invalid('an image needs a reference');
  return {
    reference,
    platforms: platforms === undefined ? usual : platformsOf(platforms),
    newest: newest === undefined ? undefined : count(newest, 'newest', maxImages),
  };
}

function platformsOf(given: unknown): Platforms {
  const list: readonly unknown[] = Array.isArray(given) ? given : [];
  if (list.length === 0 || !list.every((each) => typeof each === 'string')) {
    throw invalid('platforms has to be a list such as ["linux/amd64"], or ["all"]');
  }
  return parsePlatforms(list);
}

function flag(given: unknown, name: string): boolean {
  if (typeof given === 'boolean') return given;
  throw invalid(`${name} has to be true or false`);
}

function count(given: unknown, name: string, most: number): number {
  const isCount = Number.isInteger(given) && Number(given) >= 1 && Number(given) <= most;
  if (isCount) return Number(given);
  throw invalid(`${name} has to be a number from 1 to ${most}`);
}

function rate(given: unknown): number {
  const isText = typeof given === 'string' || typeof given === 'number';
  const bytes = isText ? parseByteSize(String(given)) : undefined;
  if (bytes !== undefined && bytes > 0) return bytes;
  throw invalid('bandwidth has to be a size, such as 50MiB');
}

function refuseUnknown(unknown: object): void {
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw invalid(`there is no parameter ${JSON.stringify(name)}`);
}

function invalid(message: string): RegistryError {
  return new RegistryError('REQUEST_INVALID', message);
}
