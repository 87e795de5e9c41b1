import { readFile, stat } from 'node:fs/promises';
import { MemberFiles } from '../catalog/member-files.ts';
import { CatalogRecord } from '../catalog/record.ts';
import { isMissing } from '../lib/atomic-file.ts';
import { digestOf, splitDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { maxManifestSize } from '../oci/manifest.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { Layout } from '../store/layout.ts';
import type { RepositoryContents } from './collection-plan.ts';
import { nodeOf, type ManifestNode } from './manifest-graph.ts';
import type { TaggedManifest } from './retention.ts';

/**
 * Reads all that is on record of one repository. What was read once is not read again: a manifest
 * never changes. It asks the files, and takes nothing for absent that it cannot read.
 */
export class RepositoryReader implements RepositoryContents {
  readonly files: MemberFiles;
  readonly key: QualifiedName;
  readonly #layout: Layout;
  readonly #record: CatalogRecord;
  #manifests = new Map<Digest, ManifestNode>();
  #tags: TaggedManifest[] = [];
  #failure: unknown;
  /** Each digest once: many images share their layers, and each names them in a text of its own. */
  readonly #digests = new Map<Digest, Digest>();

  constructor(key: QualifiedName, layout: Layout) {
    this.key = key;
    this.files = new MemberFiles(layout.root);
    this.#layout = layout;
    const observer = {
      error: ({ error }: { readonly error: unknown }): void => void (this.#failure = error),
      up: (): void => undefined,
    };
    this.#record = new CatalogRecord({ directory: layout.root, observer });
  }

  get manifests(): ReadonlyMap<Digest, ManifestNode> {
    return this.#manifests;
  }

  get tags(): readonly TaggedManifest[] {
    return this.#tags;
  }

  /**
   * Brings it up to what is on record now.
   * @param withTags whether the tags matter
   * @throws where part of it cannot be read: with half of the answer, the other half would go
   */
  async refresh(withTags: boolean): Promise<void> {
    const manifests = new Map<Digest, ManifestNode>();
    for await (const digest of this.files.list(this.key, 'manifests')) {
      const node = this.#manifests.get(digest) ?? (await this.#node(digest));
      if (node !== undefined) manifests.set(digest, node);
    }
    this.#manifests = manifests;
    this.#tags = withTags ? await this.#readTags() : [];
  }

  /** What the manifests hold on to. */
  named(without: ReadonlySet<Digest>): Set<Digest> {
    const named = new Set<Digest>();
    for (const [digest, { names }] of this.#manifests) {
      if (!without.has(digest)) for (const each of names) named.add(each);
    }
    return named;
  }

  /** Undefined where it was deleted meanwhile. */
  async #node(digest: Digest): Promise<ManifestNode | undefined> {
    const bytes = await this.#read(digest);
    if (bytes !== undefined && digestOf(bytes, splitDigest(digest).algorithm) === digest) {
      const { names, subject } = nodeOf(bytes);
      return { names: names.map((name) => this.#once(name)), subject };
    }
    const isMember = (await this.files.time(this.key, 'manifests', digest)) !== undefined;
    if (!isMember) return undefined;
    const what = bytes === undefined ? 'is missing' : 'is damaged';
    throw new RegistryError('MANIFEST_UNKNOWN', `the manifest ${digest} ${what}`);
  }

  /** Not through the store: to be looked at by the collection is no use of it. */
  async #read(digest: Digest): Promise<Buffer | undefined> {
    const path = this.#layout.blob(digest);
    try {
      const { size } = await stat(path);
      return size > maxManifestSize ? Buffer.alloc(0) : await readFile(path);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  #once(digest: Digest): Digest {
    const known = this.#digests.get(digest);
    if (known === undefined) this.#digests.set(digest, digest);
    return known ?? digest;
  }

  async #readTags(): Promise<TaggedManifest[]> {
    this.#failure = undefined;
    const found: TaggedManifest[] = [];
    for (const tag of await this.#record.tags(this.key)) {
      const known = await this.#record.tag(this.key, tag);
      if (known?.value === undefined) continue;
      // The time of a restored file, or of a clock set back, may lie ahead: nobody knows its age.
      const pushedAt = known.at === 0 ? Infinity : known.at;
      found.push({ tag, digest: known.value.digest, pushedAt });
    }
    // Left out and not gone: of what it names, nobody can say that it is untagged.
    if (this.#failure !== undefined) throw this.#failure;
    return found;
  }
}
