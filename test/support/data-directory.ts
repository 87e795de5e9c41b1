import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createCatalog } from '../../src/catalog/create-catalog.ts';
import type { KeyvCatalog } from '../../src/catalog/keyv-catalog.ts';
import { ReferrerRecord } from '../../src/catalog/referrer-record.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Tag } from '../../src/oci/reference.ts';
import type { QualifiedName } from '../../src/oci/repository-name.ts';
import { Layout } from '../../src/store/layout.ts';
import { descriptorOf, type Content, type Image } from './images.ts';
import { tempDir, type TempDir } from './temp-dir.ts';

const observer = { error: () => undefined, up: () => undefined };

/** A data directory with what a test puts there, as if it had been pulled through or pushed. */
export class DataDirectory implements AsyncDisposable {
  readonly cached: Layout;
  readonly hosted: Layout;
  readonly catalog: KeyvCatalog;
  readonly pushed: KeyvCatalog;
  readonly #temporary: TempDir;

  private constructor(
    temporary: TempDir,
    parts: Pick<DataDirectory, 'cached' | 'hosted' | 'catalog' | 'pushed'>,
  ) {
    this.#temporary = temporary;
    ({
      cached: this.cached,
      hosted: this.hosted,
      catalog: this.catalog,
      pushed: this.pushed,
    } = parts);
  }

  static async create(): Promise<DataDirectory> {
    const temporary = tempDir('data');
    const cached = new Layout(temporary.path);
    const hosted = new Layout(temporary.path, 'hosted');
    await mkdir(cached.root, { recursive: true });
    const catalog = await createCatalog({ directory: cached.root, observer });
    const pushed = await createCatalog({ directory: hosted.root, observer, onlyRecorded: true });
    return new DataDirectory(temporary, { cached, hosted, catalog, pushed });
  }

  get path(): string {
    return this.#temporary.path;
  }

  /**
   * Puts an image into the cache.
   * @param repository such as `docker.io/library/nginx`
   * @param without what is not stored of it
   */
  async cache(
    repository: string,
    tag: string | undefined,
    image: Image,
    without: readonly Content[] = [],
  ): Promise<void> {
    await this.#put(this.cached, this.catalog, repository, tag, image, without);
  }

  /** Puts an image among what was pushed. */
  async push(name: string, tag: string | undefined, image: Image): Promise<void> {
    await this.#put(this.hosted, this.pushed, `_hosted/${name}`, tag, image, []);
  }

  /** Puts what refers to something of a cached repository into the cache, and onto the list. */
  async refer(repository: string, subject: Digest, ...referrers: readonly Image[]): Promise<void> {
    for (const referrer of referrers) await this.cache(repository, undefined, referrer);
    const value = referrers.map(({ manifest }) => ({
      ...descriptorOf(manifest),
      artifactType: (JSON.parse(manifest.bytes.toString()) as { artifactType: string })
        .artifactType,
    }));
    const key = `referrers-${subject.replace(':', '-')}`;
    await this.catalog.putListing(repository as QualifiedName, key, { value, fetchedAt: 1 });
  }

  /** The same for a repository that is pushed to. */
  async referHosted(name: string, subject: Digest, referrer: Image): Promise<void> {
    await this.push(name, undefined, referrer);
    const record = new ReferrerRecord({ directory: this.hosted.root, observer });
    const repository = `_hosted/${name}` as QualifiedName;
    await record.add(repository, subject, descriptorOf(referrer.manifest));
  }

  async #put(
    layout: Layout,
    catalog: KeyvCatalog,
    repository: string,
    tag: string | undefined,
    { manifest, children, blobs }: Image,
    without: readonly Content[],
  ): Promise<void> {
    const key = repository as QualifiedName;
    const missing = new Set(without.map(({ digest }) => digest));
    for (const content of [manifest, ...children, ...blobs]) {
      if (missing.has(content.digest)) continue;
      const path = layout.blob(content.digest);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content.bytes);
    }
    await catalog.link(key, 'manifests', [manifest, ...children].map(descriptorOf));
    await catalog.link(key, 'blobs', blobs.map(descriptorOf));
    if (tag === undefined) return;
    const { bytes, ...record } = manifest;
    await catalog.putTag(key, tag as Tag, { ...record, size: bytes.length, checkedAt: 1 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.catalog.close();
    await this.pushed.close();
    await this.#temporary[Symbol.asyncDispose]();
  }
}
