import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../lib/atomic-file.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { isTag, type Tag } from '../oci/reference.ts';
import { parseRepositoryName, qualify, type QualifiedName } from '../oci/repository-name.ts';
import type { MemberKind } from './catalog.ts';
import { referenceOf } from './pin-record.ts';
import { folders } from './record-layout.ts';

/** What a file of the record is about, as its place tells. */
export type RecordPlace = { readonly repository: QualifiedName } & (
  | { readonly kind: 'tag'; readonly tag: Tag }
  | { readonly kind: MemberKind; readonly digest: Digest }
  | { readonly kind: 'listing'; readonly key: string }
  /** Known by its name alone. */
  | { readonly kind: 'deleted' | 'pin' | 'referrer' }
);

/** Something that lies in the record. */
export interface RecordFile {
  readonly path: string;
  /** Below the folder of repositories. */
  readonly name: string;
  /** Undefined for what does not belong there. */
  readonly place: RecordPlace | undefined;
}

/**
 * Every file of the record, in the order of the names. Links are not followed.
 * @throws the file system's error for a folder that cannot be read
 */
export async function* walkRecordFiles(root: string, folder = ''): AsyncGenerator<RecordFile> {
  for (const entry of await entriesOf(join(root, folder))) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* walkRecordFiles(root, name);
    else {
      const place = entry.isFile() ? placeOf(name) : undefined;
      yield { path: join(root, name), name, place };
    }
  }
}

/** What the file of this name is about; undefined where the record has no such files. */
export function placeOf(name: string): RecordPlace | undefined {
  const parts = name.split('/');
  const at = parts.findIndex((part, index) => index > 0 && part.startsWith('_'));
  const repository = repositoryOf(parts.slice(0, Math.max(0, at)));
  if (repository === undefined) return undefined;
  const [folder, first = '', second = '', third = '', ...more] = parts.slice(at);
  if (more.length > 0) return undefined;
  if (folder === folders.referrers) {
    const isReferrer = isDigest(`${first}:${second}`) && isDigest(third.replace('-', ':'));
    return isReferrer ? { repository, kind: 'referrer' } : undefined;
  }
  if (third !== '') return undefined;
  switch (folder) {
    case folders.tags:
      return second === '' && isTag(first) ? { repository, kind: 'tag', tag: first } : undefined;
    case folders.deleted:
      return second === '' && isTag(first) ? { repository, kind: 'deleted' } : undefined;
    case folders.pins:
      return second === '' && referenceOf(first) !== undefined
        ? { repository, kind: 'pin' }
        : undefined;
    case folders.manifests:
    case folders.blobs: {
      const digest = `${first}:${second}`;
      const kind = folder === folders.blobs ? 'blobs' : 'manifests';
      return isDigest(digest) ? { repository, kind, digest } : undefined;
    }
    case folders.listings: {
      const key = /^(.+)\.json$/.exec(first)?.[1];
      return second === '' && key !== undefined ? { repository, kind: 'listing', key } : undefined;
    }
    default:
      return undefined;
  }
}

function repositoryOf([upstream, ...name]: readonly string[]): QualifiedName | undefined {
  if (upstream === undefined) return undefined;
  try {
    return qualify(upstream, parseRepositoryName(name.join('/')));
  } catch {
    return undefined;
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
