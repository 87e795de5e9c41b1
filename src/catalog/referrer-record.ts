import { readdir, rmdir } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import { isMissing, removeFile, writeFileAtomic } from '../lib/atomic-file.ts';
import { inBatches } from '../lib/batches.ts';
import { isDescriptor, type Descriptor } from '../oci/descriptor.ts';
import { isDigest, type Digest, type DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { maxManifestSize } from '../oci/manifest.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { CatalogObserver } from './catalog-observer.ts';
import { readRecordFile, toLine, unreadable } from './record-file.ts';
import { RecordLayout } from './record-layout.ts';

export interface ReferrerRecordOptions {
  /** The versioned data folder, `<data>/v1/hosted`. */
  readonly directory: string;
  readonly observer: CatalogObserver;
}

/** Bytes: annotations come out of a manifest, and a digest and a type are added. */
const maxReferrer = maxManifestSize + 4096;
/** Bytes of lists in memory. */
const maxMemory = 16 * 1024 * 1024;
/** Files being read at the same time. */
const width = 16;

/**
 * What refers to what, for the referrers API:
 * `repositories/<…>/_referrers/<algorithm>/<hex of the subject>/<algorithm>-<hex>` holds the
 * descriptor of one referrer. Nothing is ever read, changed and written back, so that no two
 * pushes can lose each other's.
 */
export class ReferrerRecord {
  readonly #layout: RecordLayout;
  readonly #observer: CatalogObserver;
  /** By folder. */
  readonly #memory = new LRUCache<string, Remembered>({
    maxSize: maxMemory,
    sizeCalculation: ({ bytes }) => bytes,
  });
  /** Counts changes: a list that was read meanwhile may lack one. */
  #changes = 0;

  constructor({ directory, observer }: ReferrerRecordOptions) {
    this.#layout = new RecordLayout(directory);
    this.#observer = observer;
  }

  /**
   * Durable when it settles.
   * @throws RegistryError UNAVAILABLE where the disk refuses
   */
  async add(repository: QualifiedName, subject: Digest, referrer: Descriptor): Promise<void> {
    const path = this.#layout.referrer(repository, subject, referrer.digest);
    await this.#changing(repository, subject, () =>
      writeFileAtomic(path, toLine(referrer), { tmpDir: this.#layout.tmpDir }),
    );
  }

  /**
   * Whether it was there.
   * @throws RegistryError UNAVAILABLE where the disk refuses
   */
  remove(repository: QualifiedName, subject: Digest, referrer: Digest): Promise<boolean> {
    return this.#changing(repository, subject, async () => {
      const wasThere = await removeFile(this.#layout.referrer(repository, subject, referrer));
      // Where it was the last one.
      await rmdir(this.#layout.referrers(repository, subject)).catch(() => undefined);
      return wasThere;
    });
  }

  /**
   * The referrers of a subject, in ASCII order of their digests. A file that says nothing is
   * reported and passed over.
   * @throws RegistryError UNAVAILABLE where the disk does not let them be read
   */
  async list(repository: QualifiedName, subject: Digest): Promise<readonly Descriptor[]> {
    const folder = this.#layout.referrers(repository, subject);
    const known = this.#memory.get(folder);
    if (known !== undefined) return known.referrers;
    const changes = this.#changes;
    const digests = (await this.#names(folder))
      .map((name) => name.replace('-', ':'))
      .filter(isDigest);
    const referrers: Descriptor[] = [];
    const read = (digest: Digest): Promise<Descriptor | undefined> =>
      this.#read(repository, subject, digest);
    for await (const found of inBatches(digests, width, read)) {
      if (found !== undefined) referrers.push(found);
    }
    if (changes === this.#changes) {
      const bytes = JSON.stringify(referrers).length + folder.length + 256;
      this.#memory.set(folder, { referrers, bytes });
    }
    return referrers;
  }

  /**
   * The subjects on record whose digest's hex form begins so, in ASCII order.
   * @throws RegistryError UNAVAILABLE where the disk does not let them be read
   */
  async subjects(
    repository: QualifiedName,
    algorithm: DigestAlgorithm,
    prefix: string,
  ): Promise<Digest[]> {
    const names = await this.#names(this.#layout.subjects(repository, algorithm));
    return names
      .filter((hex) => hex.startsWith(prefix))
      .map((hex) => `${algorithm}:${hex}`)
      .filter(isDigest);
  }

  async #read(
    repository: QualifiedName,
    subject: Digest,
    digest: Digest,
  ): Promise<Descriptor | undefined> {
    const known = await readRecordFile(
      this.#layout.referrer(repository, subject, digest),
      (document) => (isDescriptor(document) && document.digest === digest ? document : undefined),
      { observer: this.#observer, limit: maxReferrer, strict: true },
    );
    return known?.value;
  }

  async #changing<T>(
    repository: QualifiedName,
    subject: Digest,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw new RegistryError('UNAVAILABLE', 'the record could not be written', { cause });
    } finally {
      this.#changes += 1;
      this.#memory.delete(this.#layout.referrers(repository, subject));
    }
  }

  async #names(folder: string): Promise<string[]> {
    try {
      return (await readdir(folder)).toSorted();
    } catch (error) {
      if (isMissing(error)) return [];
      this.#observer.error({ operation: 'record.list', error });
      throw unreadable(error);
    }
  }
}

interface Remembered {
  readonly referrers: readonly Descriptor[];
  readonly bytes: number;
}
