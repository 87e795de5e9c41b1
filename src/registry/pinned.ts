import type { Catalog } from '../catalog/catalog.ts';
import type { PinRecord } from '../catalog/pin-record.ts';
import type { Digest } from '../oci/digest.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { closureOf } from './image-closure.ts';

/**
 * Everything that the pinned images consist of, as far as it is cached: indexes, their manifests,
 * configs and layers.
 * @throws the disk's error: with half of the answer, the other half would be taken away
 */
export async function pinnedDigests(
  pins: PinRecord,
  catalog: Catalog,
  store: Pick<BlobStore, 'read'>,
): Promise<ReadonlySet<Digest>> {
  const source = { catalog, read: (digest: Digest, limit: number) => store.read(digest, limit) };
  const found = new Set<Digest>();
  for (const { repository, reference } of await pins.all()) {
    const digest = isDigestReference(reference)
      ? reference
      : (await catalog.tag(repository, reference))?.digest;
    if (digest === undefined) continue;
    const { manifests, blobs } = await closureOf(source, repository, [digest]);
    for (const each of [...manifests, ...blobs]) found.add(each);
  }
  return found;
}
