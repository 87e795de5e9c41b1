import type { MemberKind } from '../catalog/catalog.ts';
import { splitDigest, type Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import { closureOf, type ManifestSource } from './image-closure.ts';
import type { ImageTarget } from './image-target.ts';

/** What is to go from one repository. */
export interface RepositoryPurge {
  readonly tags: Set<Tag>;
  readonly manifests: Set<Digest>;
  readonly blobs: Set<Digest>;
  readonly listings: Set<string>;
}

/** What is to go, before anything is done. */
export interface PurgePlan {
  readonly repositories: ReadonlyMap<QualifiedName, RepositoryPurge>;
  /** Stored content that nobody names any more then. */
  readonly blobs: ReadonlySet<Digest>;
  /** Targets of which nothing is on record. */
  readonly missing: readonly ImageTarget[];
}

/** Where it is looked up what is there. */
export interface PurgeSource extends ManifestSource {
  /** Bytes of what is stored; undefined where it is not. */
  readonly sizeOf: (digest: Digest) => Promise<number | undefined>;
}

/** Finds out what has to go for some targets to be gone, and what others still need. */
export class PurgePlanner {
  readonly #source: PurgeSource;
  readonly #purges = new Map<QualifiedName, RepositoryPurge>();
  /** Content that may go, if no other repository names it. */
  readonly #candidates = new Set<Digest>();
  readonly #missing: ImageTarget[] = [];

  constructor(source: PurgeSource) {
    this.#source = source;
  }

  /** Call once. */
  async plan(targets: readonly ImageTarget[]): Promise<PurgePlan> {
    for (const target of targets) if (!(await this.#add(target))) this.#missing.push(target);
    await this.#spareWhatOthersName();
    return { repositories: this.#purges, blobs: this.#candidates, missing: this.#missing };
  }

  /** Whether there was something to be purged. */
  async #add(target: ImageTarget): Promise<boolean> {
    const { catalog } = this.#source;
    switch (target.kind) {
      case 'repository':
        return this.#addRepository(target.repository);
      case 'tag': {
        const { repository, tag } = target;
        const record = await catalog.tag(repository, tag);
        if (record === undefined) return false;
        this.#purgeOf(repository).tags.add(tag);
        await this.#addImage(repository, record.digest);
        return true;
      }
      case 'manifest':
        return this.#addManifest(target.repository, target.digest);
      case 'digest': {
        let isFound = (await this.#source.sizeOf(target.digest)) !== undefined;
        this.#candidates.add(target.digest);
        for (const repository of await catalog.repositories()) {
          if (await this.#addManifest(repository, target.digest)) isFound = true;
          if (!(await this.#isMember(repository, 'blobs', target.digest))) continue;
          this.#remove(repository, 'blobs', target.digest);
          isFound = true;
        }
        return isFound;
      }
    }
  }

  async #addRepository(repository: QualifiedName): Promise<boolean> {
    const { catalog } = this.#source;
    const tags = await catalog.tags(repository);
    const manifests = await catalog.members(repository, 'manifests');
    const blobs = await catalog.members(repository, 'blobs');
    const listings = await catalog.listings(repository);
    if ([tags, manifests, blobs, listings].every(({ length }) => length === 0)) return false;
    const purge = this.#purgeOf(repository);
    for (const tag of tags) purge.tags.add(tag);
    for (const key of listings) purge.listings.add(key);
    for (const digest of manifests) this.#remove(repository, 'manifests', digest);
    for (const digest of blobs) this.#remove(repository, 'blobs', digest);
    return true;
  }

  async #addManifest(repository: QualifiedName, digest: Digest): Promise<boolean> {
    if (!(await this.#isMember(repository, 'manifests', digest))) return false;
    const { catalog } = this.#source;
    for (const tag of await catalog.tags(repository)) {
      const record = await catalog.tag(repository, tag);
      if (record?.digest === digest) this.#purgeOf(repository).tags.add(tag);
    }
    await this.#addImage(repository, digest);
    // Also where an index that stays names it: it was asked for by its digest.
    this.#remove(repository, 'manifests', digest);
    return true;
  }

  /** An image with all that belongs to it alone. */
  async #addImage(repository: QualifiedName, root: Digest): Promise<void> {
    const image = await closureOf(this.#source, repository, [root]);
    const kept = await closureOf(
      this.#source,
      repository,
      await this.#otherRoots(repository, image),
    );
    for (const digest of image.manifests) {
      if (!kept.manifests.has(digest)) this.#remove(repository, 'manifests', digest);
    }
    for (const digest of image.blobs) {
      if (!kept.blobs.has(digest)) this.#remove(repository, 'blobs', digest);
    }
  }

  /** The images of a repository that stay: those that tags name, and those asked for by digest. */
  async #otherRoots(
    repository: QualifiedName,
    image: { readonly manifests: ReadonlySet<Digest> },
  ): Promise<Set<Digest>> {
    const { catalog } = this.#source;
    const purge = this.#purgeOf(repository);
    const roots = new Set<Digest>();
    for (const tag of await catalog.tags(repository)) {
      if (purge.tags.has(tag)) continue;
      const record = await catalog.tag(repository, tag);
      if (record !== undefined) roots.add(record.digest);
    }
    for (const digest of await catalog.members(repository, 'manifests')) {
      if (!image.manifests.has(digest) && !purge.manifests.has(digest)) roots.add(digest);
    }
    return roots;
  }

  /** Shared layers stay for as long as one repository names them. */
  async #spareWhatOthersName(): Promise<void> {
    const { catalog } = this.#source;
    for (const repository of await catalog.repositories()) {
      for (const kind of ['manifests', 'blobs'] as const) {
        const going = this.#purges.get(repository)?.[kind];
        for (const digest of await catalog.members(repository, kind)) {
          if (going?.has(digest) !== true) this.#candidates.delete(digest);
        }
      }
    }
  }

  #remove(repository: QualifiedName, kind: MemberKind, digest: Digest): void {
    const purge = this.#purgeOf(repository);
    purge[kind].add(digest);
    this.#candidates.add(digest);
    const { algorithm, hex } = splitDigest(digest);
    if (kind === 'manifests') purge.listings.add(`referrers-${algorithm}-${hex}`);
  }

  async #isMember(repository: QualifiedName, kind: MemberKind, digest: Digest): Promise<boolean> {
    return (await this.#source.catalog.linked(repository, kind, digest)) !== undefined;
  }

  #purgeOf(repository: QualifiedName): RepositoryPurge {
    let purge = this.#purges.get(repository);
    if (purge === undefined) {
      purge = { tags: new Set(), manifests: new Set(), blobs: new Set(), listings: new Set() };
      this.#purges.set(repository, purge);
    }
    return purge;
  }
}
