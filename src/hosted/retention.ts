import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';

/** A tag on record. */
export interface TaggedManifest {
  readonly tag: Tag;
  readonly digest: Digest;
  /** When it was last pushed, also if it named the same before; milliseconds since the epoch. */
  readonly pushedAt: number;
}

/** What the configuration says about some of the tags of a repository. */
export interface RetentionRule {
  readonly isAbout: (tag: Tag) => boolean;
  readonly immutable: boolean;
  /** So many that were pushed last are kept. */
  readonly keepLast?: number | undefined;
  /** Those pushed less than so many milliseconds ago are kept. */
  readonly keepFor?: number | undefined;
}

/**
 * Decides which tags of a repository go. One goes where a rule says what to keep of its kind, and
 * no rule keeps it: what one of them keeps, stays. A tag that cannot be overwritten (`immutable`)
 * is not removed either, unless the same rule says how many to keep.
 */
export function expiredTags(
  tags: readonly TaggedManifest[],
  rules: readonly RetentionRule[],
  now: number,
): TaggedManifest[] {
  const latestFirst = tags.toSorted(byPush);
  const named = new Set<Tag>();
  const kept = new Set<Tag>();
  for (const { isAbout, immutable, keepLast, keepFor } of rules) {
    const own = latestFirst.filter(({ tag }) => isAbout(tag));
    const isLimit = keepLast !== undefined || keepFor !== undefined;
    if (!isLimit && !immutable) continue;
    for (const [index, { tag, pushedAt }] of own.entries()) {
      if (isLimit) named.add(tag);
      const isKept = isLimit
        ? index < (keepLast ?? 0) || (keepFor !== undefined && now - pushedAt < keepFor)
        : immutable;
      if (isKept) kept.add(tag);
    }
  }
  return tags.filter(({ tag }) => named.has(tag) && !kept.has(tag));
}

/** The last pushed first; of tags pushed at the same moment, the last in ASCII order. */
function byPush(one: TaggedManifest, other: TaggedManifest): number {
  return other.pushedAt - one.pushedAt || (one.tag < other.tag ? 1 : -1);
}
