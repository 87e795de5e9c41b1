import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';

/** What a tag points to, and when that was last confirmed by the upstream. */
export interface TagRecord {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly checkedAt: number;
}

/** The two ways in which content belongs to a repository; a layer is never served as a manifest. */
export type MemberKind = 'manifests' | 'blobs';

/** What is known of a digest that belongs to a repository. */
export interface Member {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes; absent where the repository's upstream never told. */
  readonly size?: number | undefined;
  /** Only a manifest of the repository says so: its upstream has not been asked. */
  readonly claimed?: true | undefined;
}

/** A list fetched from an upstream (tags, referrers), and when. */
export interface Listing<T = unknown> {
  readonly value: T;
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number;
}

/**
 * What Baleen knows: which digest a tag names, which content belongs to which repository, what
 * is known to be absent. The files under `repositories/` are the record; whatever stands in front
 * of them may vanish at any moment and costs only speed.
 *
 * No call takes a signal: each is bounded by the disk, or by the cache's own short deadline.
 * No call fails for want of the cache; writes fail where the disk does.
 */
export interface Catalog {
  tag(repository: QualifiedName, tag: Tag): Promise<TagRecord | undefined>;
  putTag(repository: QualifiedName, tag: Tag, record: TagRecord): Promise<void>;
  deleteTag(repository: QualifiedName, tag: Tag): Promise<void>;
  /** The tags on record, in ASCII order. */
  tags(repository: QualifiedName): Promise<Tag[]>;

  /**
   * Records that content belongs to a repository: a digest is not a permission. A claim never
   * replaces what is known already; what the upstream has said replaces a claim.
   */
  link(repository: QualifiedName, kind: MemberKind, members: readonly Member[]): Promise<void>;
  /**
   * Writes a member to the record as it is given, whatever seems to be there already: for when the
   * file is found to say something else, or to be gone.
   */
  relink(repository: QualifiedName, kind: MemberKind, member: Member): Promise<void>;
  linked(repository: QualifiedName, kind: MemberKind, digest: Digest): Promise<Member | undefined>;
  /** Records that content no longer belongs to a repository. */
  unlink(repository: QualifiedName, kind: MemberKind, digests: readonly Digest[]): Promise<void>;
  /** What belongs to a repository on record, in ASCII order. */
  members(repository: QualifiedName, kind: MemberKind): Promise<Digest[]>;

  /** Lists kept for when the upstream is down; `key` is `tags` or `referrers-<algorithm>-<hex>`. */
  listing(repository: QualifiedName, key: string): Promise<Listing | undefined>;
  putListing(repository: QualifiedName, key: string, listing: Listing): Promise<void>;
  deleteListing(repository: QualifiedName, key: string): Promise<void>;
  /** The keys of the lists on record, in ASCII order. */
  listings(repository: QualifiedName): Promise<string[]>;

  /** Whether the upstream lately said that this does not exist; `what` is `manifests/<reference>` or `blobs/<digest>`. */
  absent(repository: QualifiedName, what: string): Promise<boolean>;
  /** Remembers that for `ttl` milliseconds; never on disk. 0 forgets it. */
  putAbsent(repository: QualifiedName, what: string, ttl: number): Promise<void>;

  /** Takes a repository of which nothing is left off the list. */
  prune(repository: QualifiedName): Promise<void>;
  /** Every repository on record, in ASCII order. */
  repositories(): Promise<QualifiedName[]>;
  close(): Promise<void>;
}
