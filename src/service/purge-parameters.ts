import { RegistryError } from '../oci/errors.ts';
import type { PurgeParameters } from '../registry/purge.ts';

/** More would be a list that something else should keep. */
const maxTargets = 10_000;

/**
 * Reads what `POST /api/purge` is given: `targets`, a list of images, repositories and digests, and
 * `dry_run` (false) and `force` (false).
 * @throws RegistryError REQUEST_INVALID
 */
export function purgeParameters(given: object): PurgeParameters {
  const {
    targets,
    dry_run: dryRun = false,
    force = false,
    ...unknown
  } = given as Record<string, unknown>;
  refuseUnknown(unknown);
  if (typeof dryRun !== 'boolean') throw invalid('dry_run has to be true or false');
  if (typeof force !== 'boolean') throw invalid('force has to be true or false');
  if (!Array.isArray(targets) || targets.length === 0 || targets.length > maxTargets) {
    throw invalid(`targets has to be a list of 1 to ${maxTargets} images, repositories or digests`);
  }
  const texts: readonly unknown[] = targets;
  if (!texts.every((each) => typeof each === 'string')) throw invalid('targets have to be text');
  return { targets: texts, dryRun, force };
}

/**
 * Reads what `POST /api/gc` is given: `dry_run` (false). Who misspells it must not lose anything.
 * @throws RegistryError REQUEST_INVALID
 */
export function gcParameters(given: object): { readonly dryRun: boolean } {
  const { dry_run: dryRun = false, ...unknown } = given as Record<string, unknown>;
  refuseUnknown(unknown);
  if (typeof dryRun !== 'boolean') throw invalid('dry_run has to be true or false');
  return { dryRun };
}

/**
 * Reads what `POST /api/pin` and `/api/unpin` are given: `images`, a list of images.
 * @throws RegistryError REQUEST_INVALID
 */
export function imagesOf(given: object): readonly string[] {
  const { images, ...unknown } = given as Record<string, unknown>;
  refuseUnknown(unknown);
  const isList = Array.isArray(images) && images.length > 0 && images.length <= maxTargets;
  const texts: readonly unknown[] = isList ? images : [];
  if (texts.length > 0 && texts.every((each) => typeof each === 'string')) return texts;
  throw invalid(`images has to be a list of 1 to ${maxTargets} images`);
}

function refuseUnknown(unknown: object): void {
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw invalid(`there is no parameter ${JSON.stringify(name)}`);
}

function invalid(message: string): RegistryError {
  return new RegistryError('REQUEST_INVALID', message);
}
