import type { QualifiedName } from '../oci/repository-name.ts';
import type { Knowledge } from './knowledge.ts';
import type { CatalogRecord } from './record.ts';
import { memberSubject, tagSubject, type Place } from './subjects.ts';

/**
 * Walks the tags and members on record and offers each to the shared cache. Yields for each whether
 * the cache lacked it; undefined where it could not be told.
 */
export async function* rebuildShared(
  knowledge: Knowledge,
  record: CatalogRecord,
  placeOf: (repository: QualifiedName) => Place,
): AsyncGenerator<boolean | undefined> {
  for (const repository of await record.repositories()) {
    const place = placeOf(repository);
    for (const tag of await record.tags(repository)) {
      yield await knowledge.offer(tagSubject(place, tag));
    }
    for (const kind of ['manifests', 'blobs'] as const) {
      for (const digest of await record.members(repository, kind)) {
        yield await knowledge.offer(memberSubject(place, kind, digest));
      }
    }
  }
}
