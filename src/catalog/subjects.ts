import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { Listing, Member, MemberKind, TagRecord } from './catalog.ts';
import type { Subject } from './knowledge.ts';
import { parseListing, parseMember, parseTag, parseTime } from './known.ts';
import type { CatalogRecord } from './record.ts';

/** A repository's corner of the record. */
export interface Place {
  readonly record: CatalogRecord;
  readonly repository: QualifiedName;
  /** Whether there is a shared cache that may not have heard of a deletion. */
  readonly isShared: boolean;
}

/** Lifetimes in milliseconds. */
const minute = 60_000;
const day = 24 * 60 * minute;

/** The record is read again after a minute, so that what another program wrote there is noticed. */
const onRecord = { memory: minute, shared: day };
/** How long replicas have to know that an absence was taken back. */
const takenBack = { memory: minute, shared: 10 * minute };
/** Lists above this many bytes are not worth a place in the shared cache. */
const maxSharedListing = 1024 * 1024;

export function tagSubject({ record, repository, isShared }: Place, tag: Tag): Subject<TagRecord> {
  return {
    key: tagKey(repository, tag),
    parse: parseTag,
    keep: () => onRecord,
    load: async () => {
      const known = await record.tag(repository, tag);
      if (known !== undefined || !isShared) return known;
      const at = await record.deletedAt(repository, tag);
      return at === undefined ? undefined : { at, value: undefined };
    },
    save: ({ value }) =>
      value === undefined
        ? record.deleteTag(repository, tag)
        : record.putTag(repository, tag, value),
  };
}

export function memberSubject(
  { record, repository }: Place,
  kind: MemberKind,
  digest: Digest,
): Subject<Member> {
  return {
    key: memberKey(repository, kind, digest),
    // The key says which digest it is; a value that says otherwise is not ours.
    parse: (raw) => {
      const member = parseMember(raw);
      return member?.digest === digest ? member : undefined;
    },
    keep: () => onRecord,
    load: () => record.member(repository, kind, digest),
    save: ({ at, value }) =>
      value === undefined
        ? record.deleteMember(repository, kind, digest)
        : record.putMembers(repository, kind, [value], at),
  };
}

export function listingSubject({ record, repository }: Place, key: string): Subject<Listing> {
  return {
    key: `listing:${repository}:${key}`,
    parse: parseListing,
    keep: ({ value }) => {
      const weight = JSON.stringify(value ?? '').length;
      return { memory: minute, shared: weight > maxSharedListing ? 0 : day, weight };
    },
    load: () => record.listing(repository, key),
    save: ({ value }) =>
      value === undefined
        ? record.deleteListing(repository, key)
        : record.putListing(repository, key, value),
  };
}

/** Absences are never on disk: they live in memory and, where there is one, the shared cache. */
export function absenceSubject(key: string): Subject<number> {
  return {
    key,
    parse: parseTime,
    keep: ({ value }) => {
      if (value === undefined) return takenBack;
      const rest = value - Date.now();
      return { memory: rest, shared: rest };
    },
  };
}

/**
 * Keys are unambiguous: only a repository's first component (a registry with a port) and digests
 * hold colons, so the first colon behind a slash ends the repository.
 */
export function tagKey(repository: QualifiedName, tag: Tag): string {
  return `tag:${repository}:${tag}`;
}

export function memberKey(repository: QualifiedName, kind: MemberKind, digest: Digest): string {
  return `${kind}:${repository}:${digest}`;
}

export function absenceKey(repository: QualifiedName, what: string): string {
  return `absent:${repository}:${what}`;
}
