import type { Catalog } from '../catalog/catalog.ts';
import type { PinRecord } from '../catalog/pin-record.ts';
import type { Digest } from '../oci/digest.ts';
import { maxManifestSize, parseManifest, type Manifest } from '../oci/manifest.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { BlobStore } from '../store/blob-store.ts';

/**
 * Everything that the pinned images consist of, as far as it is cached: indexes, their manifests,
 * configs and layers.
 * @throws the disk's error: with half of the answer, the other half would be taken away
 */
export async function pinnedDigests(
  pins: PinRecord,
  catalog: Catalog,
  store: BlobStore,
): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>();
  for (const { repository, reference } of await pins.all()) {
    const digest = isDigestReference(reference)
      ? reference
      : (await catalog.tag(repository, reference))?.digest;
    if (digest !== undefined) await gather(digest, repository, catalog, store, found);
  }
  return found;
}

async function gather(
  root: Digest,
  repository: QualifiedName,
  catalog: Catalog,
  store: BlobStore,
  found: Set<Digest>,
): Promise<void> {
  const open = [root];
  for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
    if (found.has(digest)) continue;
    found.add(digest);
    const manifest = await read(digest, repository, catalog, store);
    for (const blob of manifest?.blobs ?? []) found.add(blob.digest);
    open.push(...(manifest?.manifests ?? []).map((child) => child.digest));
  }
}

/** Undefined where it is not cached, or is no manifest: there is nothing more to keep then. */
async function read(
  digest: Digest,
  repository: QualifiedName,
  catalog: Catalog,
  store: BlobStore,
): Promise<Manifest | undefined> {
  const member = await catalog.linked(repository, 'manifests', digest);
  const bytes = member && (await store.read(digest, maxManifestSize));
  if (bytes === undefined) return undefined;
  try {
    return parseManifest(bytes, member?.mediaType);
  } catch {
    return undefined;
  }
}
