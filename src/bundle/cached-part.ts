import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalog, Member } from '../catalog/catalog.ts';
import { inBatches } from '../lib/batches.ts';
import { linkOrCopy } from '../lib/link-or-copy.ts';
import { isDescriptor, type Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { StoredManifest } from '../registry/manifest-cache.ts';
import type { DiskBlobStore } from '../store/disk-blob-store.ts';
import type { Layout } from '../store/layout.ts';
import { isRight } from '../store/verification.ts';
import { gone, type AdoptingPart, type BlobSource, type RepositoryContent } from './adoption.ts';
import type { NamedContent } from './bundle-graph.ts';

export interface CachedPartOptions {
  readonly layout: Layout;
  readonly store: DiskBlobStore;
  readonly catalog: Catalog;
  /** Keeps a manifest, in memory where there is any, and in the store. */
  readonly put: (manifest: StoredManifest) => Promise<void>;
}

/** Manifests that are stored at the same time. */
const width = 8;

/** Members that are put on record at once: each is a file, and costs memory until all of them are. */
const mostLinked = 500;

/**
 * Takes images in under the names of upstreams, as if they had been pulled just now: the operator who
 * imports them vouches for what belongs to whom, as else the upstream does.
 */
export class CachedPart implements AdoptingPart {
  readonly #options: CachedPartOptions;

  constructor(options: CachedPartOptions) {
    this.#options = options;
  }

  path(digest: Digest): string {
    return this.#options.layout.blob(digest);
  }

  async holds(digest: Digest, size: number): Promise<boolean> {
    const { store } = this.#options;
    const isHere = (await store.stat(digest)) === size;
    // It is not to make room for the rest of its own image.
    if (isHere) store.used(digest);
    return isHere;
  }

  assertAllowed(): Promise<void> {
    return Promise.resolve();
  }

  async hasBlob({ key }: RepositoryContent, blob: Digest): Promise<boolean> {
    const member = await this.#options.catalog.linked(key, 'blobs', blob);
    return member !== undefined && member.claimed !== true;
  }

  async addBlob(
    _content: RepositoryContent,
    { digest, size }: NamedContent,
    source: BlobSource | undefined,
  ): Promise<void> {
    if (source === undefined) return;
    const { store, layout } = this.#options;
    if (source.mayMove) {
      await store.evictor.admit(size, () => store.adopt(digest, source.path, size));
      return;
    }
    const temporary = join(layout.temporary, randomUUID());
    try {
      await linkOrCopy(source.path, temporary);
      if (!source.isVerified && !(await isRight(temporary, digest))) throw gone(digest);
      await store.evictor.admit(size, () => store.adopt(digest, temporary, size));
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async addManifests(content: RepositoryContent): Promise<void> {
    const { put } = this.#options;
    const { key, manifests, blobs, absent, read } = content;
    await this.#link(key, 'blobs', blobs.map(memberOf));
    const stored = inBatches(manifests, width, async (each) => put(await read(each)));
    for await (const _ of stored);
    const claimed = absent.map((each) => ({ ...memberOf(each), claimed: true as const }));
    await this.#link(key, 'manifests', [...manifests.map(memberOf), ...claimed]);
    for (const { digest } of manifests) await this.#isThere(content, `manifests/${digest}`);
    for (const { digest } of blobs) await this.#isThere(content, `blobs/${digest}`);
    await this.#addReferrers(content);
  }

  async addTags(content: RepositoryContent): Promise<void> {
    const { catalog } = this.#options;
    for (const { tag, digest, mediaType, size } of content.tags) {
      const checkedAt = Date.now();
      await catalog.putTag(content.key, tag, { digest, mediaType, size, checkedAt });
      await this.#isThere(content, `manifests/${tag}`);
    }
  }

  /** Beside those that are known: which of them are there still only the upstream could tell. */
  async #addReferrers(content: RepositoryContent): Promise<void> {
    const { catalog } = this.#options;
    const { key, referrers } = content;
    for (const [subject, some] of Map.groupBy(referrers, (each) => each.subject)) {
      const name = `referrers-${subject.replace(':', '-')}`;
      const known = (await catalog.listing(key, name))?.value;
      const before: Descriptor[] = Array.isArray(known) ? known.filter(isDescriptor) : [];
      const all = [...before, ...some.map(({ descriptor }) => descriptor)];
      const value = [...new Map(all.map((each) => [each.digest, each])).values()];
      await catalog.putListing(key, name, { value, fetchedAt: Date.now() });
      await this.#isThere(content, name);
    }
  }

  async #link(
    key: QualifiedName,
    kind: 'blobs' | 'manifests',
    members: readonly Member[],
  ): Promise<void> {
    for (let at = 0; at < members.length; at += mostLinked) {
      await this.#options.catalog.link(key, kind, members.slice(at, at + mostLinked));
    }
  }

  /** Lets go of an upstream's "there is no such thing". */
  async #isThere({ key }: RepositoryContent, what: string): Promise<void> {
    const { catalog } = this.#options;
    if (await catalog.absent(key, what)) await catalog.putAbsent(key, what, 0);
  }
}

function memberOf({ digest, mediaType, size }: Member): Member {
  return { digest, mediaType, ...(size === undefined ? {} : { size }) };
}
