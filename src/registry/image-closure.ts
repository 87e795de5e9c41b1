import type { Catalog } from '../catalog/catalog.ts';
import type { Digest } from '../oci/digest.ts';
import { maxManifestSize, parseManifest, type Manifest } from '../oci/manifest.ts';
import type { QualifiedName } from '../oci/repository-name.ts';

/** What images consist of, as far as their manifests are stored. */
export interface Closure {
  readonly manifests: ReadonlySet<Digest>;
  readonly blobs: ReadonlySet<Digest>;
}

/** Where manifests are read from. `read` gives undefined for what is not there or larger than `limit` bytes. */
export interface ManifestSource {
  readonly catalog: Catalog;
  readonly read: (digest: Digest, limit: number) => Promise<Buffer | undefined>;
}

/**
 * Follows manifests of a repository to all that they name, themselves included.
 * @throws the disk's error: with half of the answer, the other half would be taken away
 */
export async function closureOf(
  source: ManifestSource,
  repository: QualifiedName,
  roots: Iterable<Digest>,
): Promise<Closure> {
  const manifests = new Set<Digest>(roots);
  const blobs = new Set<Digest>();
  // A set goes on to what is added while it is walked.
  for (const digest of manifests) {
    const manifest = await storedManifest(source, repository, digest);
    for (const child of manifest?.manifests ?? []) manifests.add(child.digest);
    for (const blob of manifest?.blobs ?? []) blobs.add(blob.digest);
  }
  return { manifests, blobs };
}

async function storedManifest(
  { catalog, read }: ManifestSource,
  repository: QualifiedName,
  digest: Digest,
): Promise<Manifest | undefined> {
  const member = await catalog.linked(repository, 'manifests', digest);
  if (member === undefined) return undefined;
  const bytes = await read(digest, maxManifestSize);
  try {
    return bytes && parseManifest(bytes, member.mediaType);
  } catch {
    // It is none, and leads nowhere.
    return undefined;
  }
}
