import type { Digest } from '../oci/digest.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { PinRecord } from '../catalog/pin-record.ts';
import { pinnedDigests } from './pinned.ts';
import { PurgePlanner, type PurgePlan, type PurgeSource } from './purge-plan.ts';
import { parseImageTarget, type ImageTarget, type UpstreamNames } from './image-target.ts';

export interface PurgeOptions extends PurgeSource {
  /** Takes content out of the store. */
  readonly remove: (digest: Digest) => Promise<boolean>;
  /** Lets go of what is held in memory. */
  readonly forget: (digest: Digest) => void;
  readonly names: () => UpstreamNames;
  readonly pins: PinRecord;
}

export interface PurgeParameters {
  /** Images, repositories and digests, as users write them. */
  readonly targets: readonly string[];
  /** Only tell what would be removed. */
  readonly dryRun: boolean;
  /** Also what is pinned. The pin stays: what comes back is kept again. */
  readonly force: boolean;
}

/** What was removed, or would be. */
export interface PurgeReport {
  readonly dry_run: boolean;
  /** `docker.io/library/nginx:1.25` */
  readonly tags: readonly string[];
  /** How much belongs to repositories no more. */
  readonly members: number;
  /** Content that is gone from the store: nobody else names it. */
  readonly blobs: readonly { readonly digest: Digest; readonly bytes: number }[];
  /** Bytes of these. */
  readonly bytes: number;
  /** The targets of which nothing was on record, as they were written. */
  readonly missing: readonly string[];
}

/**
 * Removes images, repositories or digests, and all that belonged to them alone. Whoever reads goes
 * on; who asks afterwards has it fetched again.
 * @throws RegistryError NAME_INVALID, NAME_UNKNOWN, TAG_INVALID or DIGEST_INVALID, or DENIED for what
 *   is pinned, before anything is removed; or what the disk fails with
 */
export async function purge(
  options: PurgeOptions,
  { targets, dryRun, force }: PurgeParameters,
): Promise<PurgeReport> {
  const onRecord: ReadonlySet<string> = new Set(await options.catalog.repositories());
  const names = options.names();
  const parsed = targets.map((text) => ({
    text,
    target: understand(text, names, onRecord),
  }));
  const plan = await new PurgePlanner(options).plan(parsed.map(({ target }) => target));
  if (!force) await refusePinned(options, plan);
  if (!dryRun) await unlink(options, plan);
  const blobs = await removeBlobs(options, plan, dryRun);
  const purges = [...plan.repositories];
  return {
    dry_run: dryRun,
    tags: purges.flatMap(([repository, { tags }]) =>
      [...tags].map((tag) => `${repository}:${tag}`),
    ),
    members: purges.reduce((sum, [, each]) => sum + each.manifests.size + each.blobs.size, 0),
    blobs,
    bytes: blobs.reduce((sum, { bytes }) => sum + bytes, 0),
    missing: parsed.flatMap(({ text, target }) => (plan.missing.includes(target) ? [text] : [])),
  };
}

/** @throws RegistryError DENIED where something would go of which a pin says that it stays */
async function refusePinned(options: PurgeOptions, plan: PurgePlan): Promise<void> {
  const { pins, catalog } = options;
  const pinned = await pinnedDigests(pins, catalog, options);
  const digest = [...plan.blobs].find((each) => pinned.has(each));
  const pin = (await pins.all()).find(({ repository, reference }) => {
    const purged = plan.repositories.get(repository);
    return isDigestReference(reference)
      ? purged?.manifests.has(reference)
      : purged?.tags.has(reference);
  });
  const name = pin === undefined ? digest : `${pin.repository} ${pin.reference}`;
  if (name !== undefined) {
    throw new RegistryError('DENIED', `${name} is pinned: it goes only by force`);
  }
}

/** Many may be given: the error says which it is about. */
function understand(
  text: string,
  names: UpstreamNames,
  onRecord: ReadonlySet<string>,
): ImageTarget {
  try {
    return parseImageTarget(text, names, (name) => onRecord.has(name));
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    const { code, message, detail } = error;
    throw new RegistryError(code, `${text.slice(0, 300)}: ${message}`, { detail, cause: error });
  }
}

/** Tags first: from then on nobody is led to what is about to go. */
async function unlink({ catalog }: PurgeOptions, { repositories }: PurgePlan): Promise<void> {
  for (const [repository, { tags, manifests, blobs, listings }] of repositories) {
    for (const tag of tags) await catalog.deleteTag(repository, tag);
    await catalog.unlink(repository, 'manifests', [...manifests]);
    await catalog.unlink(repository, 'blobs', [...blobs]);
    for (const key of listings) await catalog.deleteListing(repository, key);
    await catalog.prune(repository);
  }
}

async function removeBlobs(
  { sizeOf, remove, forget }: PurgeOptions,
  { blobs }: PurgePlan,
  dryRun: boolean,
): Promise<{ digest: Digest; bytes: number }[]> {
  const removed: { digest: Digest; bytes: number }[] = [];
  for (const digest of blobs) {
    const bytes = await sizeOf(digest);
    if (!dryRun) forget(digest);
    if (bytes === undefined) continue;
    if (dryRun || (await remove(digest))) removed.push({ digest, bytes });
  }
  return removed;
}
