import type { Catalog } from '../catalog/catalog.ts';
import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { Layout } from '../store/layout.ts';
import { planCollection, untaggedManifests } from './collection-plan.ts';
import type { HostedLocks } from './hosted-locks.ts';
import { RepositoryReader } from './repository-reader.ts';
import type { RetentionRule, TaggedManifest } from './retention.ts';

/** Takes single things off the record of a repository; to be called with its lock. */
export interface Removal {
  deleteTag(repository: QualifiedName, tag: Tag): Promise<void>;
  /** One that no tag names any more, with its entry among the referrers of its subject. */
  deleteUntagged(repository: QualifiedName, digest: Digest): Promise<void>;
}

export interface CollectionPolicy {
  /** How long a blob stays that no manifest names, in milliseconds since its lease began. */
  readonly grace: number;
  /** How long a manifest stays to which no tag leads, in milliseconds since it was pushed or pulled; 0 for ever. */
  readonly untagged: number;
  /** Those for the tags of a repository. */
  readonly rules: (repository: QualifiedName) => readonly RetentionRule[];
}

export interface RepositoryCollectorOptions {
  readonly layout: Layout;
  readonly catalog: Pick<Catalog, 'unlink' | 'prune'>;
  readonly removal: Removal;
  readonly locks: HostedLocks;
  readonly policy: CollectionPolicy;
  /** When a manifest was last pulled, as far as that is known; milliseconds since the epoch. */
  readonly usedAt: (digest: Digest) => Promise<number>;
  /** Notes that a manifest is of use. */
  readonly used: (digest: Digest) => void;
}

/** What goes from a repository, or went. */
export interface Gone {
  readonly tags: TaggedManifest[];
  readonly manifests: Digest[];
  /** Blobs that belong to the repository no more. */
  readonly blobs: Digest[];
}

/** How long one slice of removals may hold the repository's lock, in milliseconds: a push waits for it. */
const slice = 250;

/**
 * Removes from one repository what it need not keep. It decides again, with the lock, before each
 * slice of removals, so that nothing goes that a push has made use of meanwhile. Tags go first, then
 * manifests, then blobs: where it is broken off, nothing on record lacks a part.
 */
export class RepositoryCollector {
  readonly reader: RepositoryReader;
  readonly #options: RepositoryCollectorOptions;
  readonly #rules: readonly RetentionRule[];

  constructor(key: QualifiedName, options: RepositoryCollectorOptions) {
    this.#options = options;
    this.reader = new RepositoryReader(key, options.layout);
    this.#rules = options.policy.rules(key);
  }

  /**
   * Decides what is to go, and changes nothing.
   * @throws where part of the repository cannot be read
   */
  async plan(): Promise<Gone> {
    const { reader } = this;
    const { grace, untagged } = this.#options.policy;
    await reader.refresh(this.#rules.length > 0 || untagged > 0);
    const now = Date.now();
    const old = untagged > 0 ? await this.#unused(now - Math.max(untagged, grace)) : noDigests;
    const isOld = (digest: Digest): boolean => old.has(digest);
    const { tags, manifests } = planCollection(reader, this.#rules, isOld, now);
    const named = reader.named(new Set(manifests));
    const blobs: Digest[] = [];
    for await (const digest of reader.files.list(reader.key, 'blobs')) {
      if (!named.has(digest) && (await this.#isForfeit(digest))) blobs.push(digest);
    }
    return { tags: [...tags], manifests: [...manifests], blobs };
  }

  /**
   * Removes it.
   * @param gone where to note what is removed
   * @throws where part of the repository cannot be read or changed, or the signal's reason
   */
  async collect(gone: Gone, signal: AbortSignal): Promise<void> {
    let isDone = isNothing(await this.plan());
    while (!isDone) {
      signal.throwIfAborted();
      isDone = await this.#options.locks.withRepository(this.reader.key, async () =>
        this.#remove(await this.plan(), gone),
      );
    }
    await this.#close(gone);
  }

  /** Whether all of it was removed before the slice ended. */
  async #remove({ tags, manifests, blobs }: Gone, gone: Gone): Promise<boolean> {
    const { removal } = this.#options;
    const { key } = this.reader;
    const until = performance.now() + slice;
    for (const entry of tags) {
      if (performance.now() > until) return false;
      await removal.deleteTag(key, entry.tag);
      gone.tags.push(entry);
    }
    for (const digest of manifests) {
      if (performance.now() > until) return false;
      await removal.deleteUntagged(key, digest);
      gone.manifests.push(digest);
    }
    for (const digest of blobs) {
      if (performance.now() > until) return false;
      if (await this.#unlink(digest)) gone.blobs.push(digest);
    }
    return true;
  }

  /** Takes a blob off the record, unless somebody was told meanwhile that it is there. */
  #unlink(digest: Digest): Promise<boolean> {
    const { locks, catalog } = this.#options;
    return locks.removingBlob(digest, async () => {
      if (!(await this.#isForfeit(digest))) return false;
      await catalog.unlink(this.reader.key, 'blobs', [digest]);
      return true;
    });
  }

  async #isForfeit(digest: Digest): Promise<boolean> {
    const { files, key } = this.reader;
    const time = await files.time(key, 'blobs', digest);
    return time !== undefined && Date.now() - time >= this.#options.policy.grace;
  }

  /** The manifests to which no tag leads, and which nobody has pushed or pulled since a time. */
  async #unused(since: number): Promise<Set<Digest>> {
    const { reader } = this;
    const found = new Set<Digest>();
    for (const digest of untaggedManifests(reader)) {
      const pushedAt = (await reader.files.time(reader.key, 'manifests', digest)) ?? Infinity;
      const usedAt = await this.#options.usedAt(digest);
      if (Math.max(pushedAt, usedAt) <= since) found.add(digest);
    }
    return found;
  }

  async #close(gone: Gone): Promise<void> {
    const { reader } = this;
    const { catalog, locks, policy, used } = this.#options;
    if (policy.untagged > 0) {
      // So that what loses its last tag tomorrow is not taken for unused since it was pushed.
      const untagged = new Set(untaggedManifests(reader));
      for (const digest of reader.manifests.keys()) if (!untagged.has(digest)) used(digest);
    }
    if (isNothing(gone) || reader.manifests.size > gone.manifests.length) return;
    // Removes only what is empty.
    await locks.withRepository(reader.key, () => catalog.prune(reader.key));
  }
}

const noDigests: ReadonlySet<Digest> = new Set();

export function nothing(): Gone {
  return { tags: [], manifests: [], blobs: [] };
}

function isNothing({ tags, manifests, blobs }: Gone): boolean {
  return tags.length + manifests.length + blobs.length === 0;
}
