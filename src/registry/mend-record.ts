import type { Catalog } from '../catalog/catalog.ts';
import type { RecordPlace } from '../catalog/record-files.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * Corrects a size on record that is not the one of what is stored: with a wrong one, content would
 * be fetched again at every request.
 * @param content what was found to have another size: bytes of the right digest
 */
export async function mendRecord(
  catalog: Catalog,
  place: RecordPlace,
  { digest, size }: { readonly digest: Digest; readonly size: number },
): Promise<void> {
  const { repository, kind } = place;
  if (kind === 'tag') {
    const known = await catalog.tag(repository, place.tag);
    // It may have moved meanwhile.
    if (known?.digest !== digest) return;
    await catalog.putTag(repository, place.tag, { ...known, size });
    return;
  }
  if (kind !== 'manifests' && kind !== 'blobs') return;
  const known = await catalog.linked(repository, kind, place.digest);
  if (known === undefined) return;
  await catalog.relink(repository, kind, { ...known, size });
}
