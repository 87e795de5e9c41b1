import type { Catalog, Member } from '../catalog/catalog.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { BlobLeases } from './blob-leases.ts';

/**
 * Makes a blob belong to a repository, and keeps it there until a manifest has had the time to name
 * it. To be called with the lock of the blob, which is in the store.
 * @throws RegistryError UNKNOWN, with the disk's error in it
 */
export async function linkBlob(
  catalog: Catalog,
  leases: Pick<BlobLeases, 'begin'>,
  repository: QualifiedName,
  member: Member,
): Promise<void> {
  await catalog.link(repository, 'blobs', [member]);
  if (await leases.begin(repository, member.digest)) return;
  // It was on record, and somebody has taken the file away behind our back.
  await catalog.relink(repository, 'blobs', member);
}
