import { access, utimes } from 'node:fs/promises';
import { createCatalog } from '../../src/catalog/create-catalog.ts';
import type { KeyvCatalog } from '../../src/catalog/keyv-catalog.ts';
import { RecordLayout } from '../../src/catalog/record-layout.ts';
import {
  HostedCollection,
  type CollectionOptions,
  type CollectionReport,
} from '../../src/hosted/collection.ts';
import { HostedLocks } from '../../src/hosted/hosted-locks.ts';
import type { CollectionPolicy } from '../../src/hosted/repository-collector.ts';
import { BufferPool } from '../../src/lib/buffer-pool.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { parseRepositoryName, qualify, type QualifiedName } from '../../src/oci/repository-name.ts';
import { DiskBlobStore } from '../../src/store/disk-blob-store.ts';
import { Layout } from '../../src/store/layout.ts';
import type { Content, Image } from './images.ts';
import { tempDir, type TempDir } from './temp-dir.ts';

const keepsEverything = {
  maxSize: undefined,
  highWatermark: 1,
  lowWatermark: 1,
  unusedTtl: undefined,
};

/** The key of a hosted repository. */
export function hosted(name: string): QualifiedName {
  return qualify('_hosted', parseRepositoryName(name));
}

/** What was pushed, on disk, without a service in front: a store, its record and its collection. */
export class HostedDirectory implements AsyncDisposable {
  readonly layout: Layout;
  readonly record: RecordLayout;
  readonly store: DiskBlobStore;
  readonly catalog: KeyvCatalog;
  readonly locks = new HostedLocks();
  /** What the collection could not look through, and why. */
  readonly skipped: [QualifiedName, unknown][] = [];
  readonly #temporary: TempDir;

  private constructor(
    temporary: TempDir,
    layout: Layout,
    store: DiskBlobStore,
    catalog: KeyvCatalog,
  ) {
    this.#temporary = temporary;
    this.layout = layout;
    this.record = new RecordLayout(layout.root);
    this.store = store;
    this.catalog = catalog;
  }

  static async open(): Promise<HostedDirectory> {
    const temporary = tempDir('hosted');
    const layout = new Layout(temporary.path, 'hosted');
    const pool = new BufferPool(0);
    const store = await DiskBlobStore.open({ layout, pool, eviction: keepsEverything });
    const observer = { error: () => undefined, up: () => undefined };
    const catalog = await createCatalog({ directory: layout.root, onlyRecorded: true, observer });
    return new HostedDirectory(temporary, layout, store, catalog);
  }

  /** Puts an image and all of its parts on record, as a push would have so many milliseconds ago. */
  async push(name: string, tag: string | undefined, image: Image, age = 0): Promise<void> {
    for (const blob of image.blobs) await this.upload(name, blob, age);
    for (const child of image.children) await this.#putManifest(name, child, age);
    await this.#putManifest(name, image.manifest, age);
    if (tag !== undefined) await this.tag(name, tag, image.manifest, age);
  }

  async tag(name: string, tag: string, { digest, mediaType, bytes }: Content, age = 0) {
    const checkedAt = Date.now() - age;
    const record = { digest, mediaType, size: bytes.length, checkedAt };
    await this.catalog.putTag(hosted(name), tag as Tag, record);
  }

  /** Puts a blob into the store and on record. */
  async upload(name: string, blob: Content, age = 0): Promise<void> {
    await this.#put(name, 'blobs', blob, age);
  }

  async #putManifest(name: string, manifest: Content, age: number): Promise<void> {
    await this.#put(name, 'manifests', manifest, age);
  }

  async #put(name: string, kind: 'blobs' | 'manifests', content: Content, age: number) {
    const { digest, bytes, mediaType } = content;
    const key = hosted(name);
    await this.locks.withBlobs([digest], async () => {
      await this.store.put(digest, bytes);
      await this.catalog.link(key, kind, [{ digest, mediaType, size: bytes.length }]);
    });
    await this.store.flush();
    const time = new Date(Date.now() - age);
    await utimes(this.record.member(key, kind, digest), time, time);
    await utimes(this.layout.blob(digest), time, time);
  }

  /** A collection; without a policy it removes all that no manifest names, at once. */
  collection(
    policy: Partial<CollectionPolicy> = {},
    more: Partial<CollectionOptions> = {},
  ): HostedCollection {
    const { catalog, store, locks, layout } = this;
    return new HostedCollection({
      layout,
      catalog,
      removal: {
        deleteTag: (repository, tag) => catalog.deleteTag(repository, tag),
        deleteUntagged: (repository, digest) => catalog.unlink(repository, 'manifests', [digest]),
      },
      locks,
      policy: { grace: 0, untagged: 0, rules: () => [], ...policy },
      usedAt: () => Promise.resolve(0),
      used: () => undefined,
      survey: (signal) => store.survey(signal),
      remove: (digest) => store.delete(digest),
      onSkipped: (repository, error) => void this.skipped.push([repository, error]),
      ...more,
    });
  }

  collect(
    policy: Partial<CollectionPolicy> = {},
    { dryRun = false } = {},
  ): Promise<CollectionReport> {
    return this.collection(policy).run(dryRun, new AbortController().signal);
  }

  /** Whether the file of a blob is there. */
  async stores(digest: Digest): Promise<boolean> {
    return access(this.layout.blob(digest)).then(
      () => true,
      () => false,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    await this.catalog.close();
    await this.#temporary[Symbol.asyncDispose]();
  }
}
