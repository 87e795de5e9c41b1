import { join } from 'node:path';
import { digestAlgorithms, splitDigest, type Digest, type DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Tag } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { MemberKind } from './catalog.ts';

/**
 * Folders inside a repository's own. No component of a repository's name starts with `_`, so
 * they never clash with the repositories below.
 */
export const folders = {
  tags: '_tags',
  manifests: '_manifests',
  blobs: '_blobs',
  listings: '_listings',
  /** One empty file a tag that was deleted and of which a shared cache may not have heard. */
  deleted: '_deleted',
  /** One empty file an image that is never evicted. */
  pins: '_pins',
  /** One file a manifest that was pushed with a subject, in a folder of its subject's. */
  referrers: '_referrers',
} as const;

/** Where each part of the record lives: `repositories/<upstream>/<name…>/<folder>/…`. */
export class RecordLayout {
  /** The folder of all repositories. */
  readonly root: string;
  /** Where files grow before they are renamed into place. */
  readonly tmpDir: string;

  /** @param directory the versioned data folder, `<data>/v1` */
  constructor(directory: string) {
    this.root = join(directory, 'repositories');
    this.tmpDir = join(directory, 'tmp');
  }

  tags(repository: QualifiedName): string {
    return this.#inside(repository, folders.tags);
  }

  tag(repository: QualifiedName, tag: Tag): string {
    return this.#inside(repository, folders.tags, tag);
  }

  deletedTag(repository: QualifiedName, tag: Tag): string {
    return this.#inside(repository, folders.deleted, tag);
  }

  member(repository: QualifiedName, kind: MemberKind, digest: Digest): string {
    const { algorithm, hex } = splitDigest(digest);
    return this.#inside(repository, folders[kind], algorithm, hex);
  }

  /** The folder of all members of one kind. */
  members(repository: QualifiedName, kind: MemberKind, algorithm: DigestAlgorithm): string {
    return this.#inside(repository, folders[kind], algorithm);
  }

  /** The folders that a repository may have, the innermost first, and those above it below its upstream's. */
  foldersOf(repository: QualifiedName): string[] {
    const components = repository.split('/');
    return [
      ...digestAlgorithms.flatMap((algorithm) => [
        this.members(repository, 'manifests', algorithm),
        this.members(repository, 'blobs', algorithm),
        this.subjects(repository, algorithm),
      ]),
      ...Object.values(folders).map((folder) => this.#inside(repository, folder)),
      ...components
        .map((_, index) => join(this.root, ...components.slice(0, components.length - index)))
        .slice(0, -1),
    ];
  }

  /** The folder of all subjects of one kind of digest, each a folder of its referrers. */
  subjects(repository: QualifiedName, algorithm: DigestAlgorithm): string {
    return this.#inside(repository, folders.referrers, algorithm);
  }

  referrers(repository: QualifiedName, subject: Digest): string {
    const { algorithm, hex } = splitDigest(subject);
    return this.#inside(repository, folders.referrers, algorithm, hex);
  }

  referrer(repository: QualifiedName, subject: Digest, digest: Digest): string {
    return join(this.referrers(repository, subject), digest.replace(':', '-'));
  }

  pins(repository: QualifiedName): string {
    return this.#inside(repository, folders.pins);
  }

  pin(repository: QualifiedName, name: string): string {
    return this.#inside(repository, folders.pins, name);
  }

  listings(repository: QualifiedName): string {
    return this.#inside(repository, folders.listings);
  }

  listing(repository: QualifiedName, key: string): string {
    return this.#inside(repository, folders.listings, `${key}.json`);
  }

  /**
   * The names are checked where they enter; this is the second lock on the same door.
   * @throws RegistryError NAME_INVALID
   */
  #inside(repository: string, ...parts: string[]): string {
    const components = repository.split('/');
    const safe = components.length > 1 && [...components, ...parts].every(isSafeComponent);
    if (!safe) throw new RegistryError('NAME_INVALID');
    return join(this.root, ...components, ...parts);
  }
}

function isSafeComponent(component: string): boolean {
  return component !== '' && component !== '.' && component !== '..' && !/[/\\\0]/.test(component);
}
