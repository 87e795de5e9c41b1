import type { Catalog } from '../catalog/catalog.ts';
import type { QualifiedName } from '../oci/repository-name.ts';

/** Takes a repository off the list when nothing is left in it. For who holds its lock. */
export async function pruneIfEmpty(
  catalog: Pick<Catalog, 'members' | 'prune'>,
  repository: QualifiedName,
): Promise<void> {
  for (const kind of ['manifests', 'blobs'] as const) {
    if ((await catalog.members(repository, kind)).length > 0) return;
  }
  await catalog.prune(repository);
}
