import type { Digest } from '../oci/digest.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import { PurgePlanner, type PurgePlan, type PurgeSource } from './purge-plan.ts';
import { parsePurgeTarget, type PurgeTarget, type UpstreamNames } from './purge-target.ts';

export interface PurgeOptions extends PurgeSource {
  /** Takes content out of the store. */
  readonly remove: (digest: Digest) => Promise<boolean>;
  /** Lets go of what is held in memory. */
  readonly forget: (digest: Digest) => void;
  readonly names: () => UpstreamNames;
}

export interface PurgeParameters {
  /** Images, repositories and digests, as users write them. */
  readonly targets: readonly string[];
  /** Only tell what would be removed. */
  readonly dryRun: boolean;
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
 * @throws RegistryError NAME_INVALID, NAME_UNKNOWN, TAG_INVALID or DIGEST_INVALID, before anything
 *   is removed; or what the disk fails with
 */
export async function purge(
  options: PurgeOptions,
  { targets, dryRun }: PurgeParameters,
): Promise<PurgeReport> {
  const onRecord: ReadonlySet<string> = new Set(await options.catalog.repositories());
  const names = options.names();
  const parsed = targets.map((text) => ({
    text,
    target: understand(text, names, onRecord),
  }));
  const plan = await new PurgePlanner(options).plan(parsed.map(({ target }) => target));
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

/** Many may be given: the error says which it is about. */
function understand(
  text: string,
  names: UpstreamNames,
  onRecord: ReadonlySet<string>,
): PurgeTarget {
  try {
    return parsePurgeTarget(text, names, (name) => onRecord.has(name));
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
