import type { Digest } from '../oci/digest.ts';
import { referrersTag, type Tag } from '../oci/reference.ts';
import { attachmentsOf, parentsFirst, reachable, type ManifestGraph } from './manifest-graph.ts';
import { expiredTags, type RetentionRule, type TaggedManifest } from './retention.ts';

/** What a repository holds, and what leads to what. */
export interface RepositoryContents {
  readonly manifests: ManifestGraph;
  readonly tags: readonly TaggedManifest[];
}

/** What goes from a repository. */
export interface CollectionPlan {
  readonly tags: readonly TaggedManifest[];
  /** In the order in which they may be removed. */
  readonly manifests: readonly Digest[];
}

/** Tags that belong to an image and not to a version of it: `sha256-<hex>`, and cosign's `sha256-<hex>.sig`. */
const attachmentTag = /^(sha(?:256|512)-[0-9a-f]{64})(?:\..*)?$/;

/**
 * Decides which tags and manifests of a repository go.
 *
 * A tag that retention gives up takes along what no other tag leads to: else it would free nothing.
 * Signatures and the like follow the image they are about, whether they say so (`subject`) or are
 * tagged with its digest. Nothing goes that something which stays needs.
 * @param isOld whether a manifest to which no tag leads has been so for long enough
 */
export function planCollection(
  { manifests, tags }: RepositoryContents,
  rules: readonly RetentionRule[],
  isOld: (digest: Digest) => boolean,
  now: number,
): CollectionPlan {
  const { versions, attachments } = sortTags(manifests, tags);
  const attached = attachedTo(manifests, attachments);
  const expired = new Set(expiredTags(versions, rules, now));
  const staying = versions.filter((entry) => !expired.has(entry));
  const needed = reachable(manifests, attached, staying.map(digestIn));
  const givenUp = reachable(manifests, attached, [...expired].map(digestIn));
  const goes = (digest: Digest): boolean =>
    !needed.has(digest) && (givenUp.has(digest) || isOld(digest));

  const all = [...manifests.keys()];
  const kept = reachable(
    manifests,
    attached,
    all.filter((digest) => !goes(digest)),
  );
  const doomed = new Set(all.filter((digest) => !kept.has(digest)));
  const followers = [...attachments.values()].flat().filter(({ digest }) => doomed.has(digest));
  return { tags: [...expired, ...followers], manifests: parentsFirst(manifests, doomed) };
}

/** The manifests to which no tag leads. */
export function untaggedManifests({ manifests, tags }: RepositoryContents): Digest[] {
  const { versions, attachments } = sortTags(manifests, tags);
  const attached = attachedTo(manifests, attachments);
  const reached = reachable(manifests, attached, versions.map(digestIn));
  return [...manifests.keys()].filter((digest) => !reached.has(digest));
}

/** What each manifest drags along, by its own word or by its tag. */
function attachedTo(
  manifests: ManifestGraph,
  attachments: ReadonlyMap<Digest, readonly TaggedManifest[]>,
): ReadonlyMap<Digest, readonly Digest[]> {
  const attached = attachmentsOf(manifests);
  for (const [subject, entries] of attachments) {
    attached.set(subject, [...(attached.get(subject) ?? []), ...entries.map(digestIn)]);
  }
  return attached;
}

/** Tells the tags of images from those that only say what is attached to an image that is here. */
function sortTags(
  manifests: ManifestGraph,
  tags: readonly TaggedManifest[],
): { versions: TaggedManifest[]; attachments: Map<Digest, TaggedManifest[]> } {
  const subjects = new Map<Tag, Digest>();
  for (const digest of manifests.keys()) subjects.set(referrersTag(digest), digest);
  const versions: TaggedManifest[] = [];
  const attachments = new Map<Digest, TaggedManifest[]>();
  for (const entry of tags) {
    const subject = subjects.get(attachmentTag.exec(entry.tag)?.[1] as Tag);
    // Signatures may be kept apart from the images: those tags are like any other.
    if (subject === undefined || subject === entry.digest) versions.push(entry);
    else attachments.set(subject, [...(attachments.get(subject) ?? []), entry]);
  }
  return { versions, attachments };
}

function digestIn({ digest }: TaggedManifest): Digest {
  return digest;
}
