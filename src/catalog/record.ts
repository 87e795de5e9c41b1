/**
 * The record: what is known, in small JSON files that anyone may look at with ls and jq. It needs
 * nothing in front of it to be right; see record-layout.ts for where each file lives.
 *
 * Reads never fail: what cannot be read counts as absent and is reported. Writes fail with a
 * RegistryError that carries the disk's own error as its cause. A strict record, which no upstream
 * could fill again, fails to be read as well where the disk does: what is merely not readable must
 * not be overwritten, or collected as garbage.
 */
import { readdir, rmdir, stat, utimes } from 'node:fs/promises';
import { isMissing, removeFile, writeFilesAtomic, type AtomicFile } from '../lib/atomic-file.ts';
import { SingleFlight } from '../lib/single-flight.ts';
import { digestAlgorithms, isDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { isTag, type Tag } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { CatalogObserver } from './catalog-observer.ts';
import type { Listing, Member, MemberKind, TagRecord } from './catalog.ts';
import { parseListing, parseMember, parseTag, type Known } from './known.ts';
import { readRecordFile, toLine, unreadable, type RecordReading } from './record-file.ts';
import { RecordLayout } from './record-layout.ts';
import { walkRepositories } from './repository-walk.ts';

export interface RecordOptions {
  /** The versioned data folder, `<data>/v1`. */
  readonly directory: string;
  readonly observer: CatalogObserver;
  /** How long a walk through all repositories is good for, in milliseconds; 5 s where absent. */
  readonly walkLifetime?: number;
  /** Reads fail with UNAVAILABLE where the disk does. */
  readonly strict?: boolean | undefined;
}

/** Limits in bytes for what is read back: far above what is ever written. */
const smallFile = 64 * 1024;
const listingFile = 64 * 1024 * 1024;

export class CatalogRecord {
  readonly layout: RecordLayout;
  readonly isStrict: boolean;
  readonly #observer: CatalogObserver;
  readonly #walkLifetime: number;
  readonly #walks = new SingleFlight<readonly QualifiedName[]>();
  #walked: { names: ReadonlySet<string>; until: number } | undefined;
  /** Counts the walks that a new repository made worthless. */
  #generation = 0;

  constructor({ directory, observer, walkLifetime = 5_000, strict = false }: RecordOptions) {
    this.isStrict = strict;
    this.layout = new RecordLayout(directory);
    this.#observer = observer;
    this.#walkLifetime = walkLifetime;
  }

  tag(repository: QualifiedName, tag: Tag): Promise<Known<TagRecord> | undefined> {
    return readRecordFile(
      this.layout.tag(repository, tag),
      (document, checkedAt) => parseTag({ ...document, checkedAt }),
      this.#reading(smallFile),
    );
  }

  /**
   * Rewrites the file only where it says something new: a mere re-confirmation touches it. Unless
   * the record is strict: only what was written and synced just now is surely on the disk.
   */
  async putTag(repository: QualifiedName, tag: Tag, record: TagRecord): Promise<void> {
    const path = this.layout.tag(repository, tag);
    const { digest, mediaType, size, checkedAt } = record;
    const line = toLine({ digest, mediaType, size });
    const current = (await this.tag(repository, tag))?.value;
    const isSame =
      current?.digest === digest && current.mediaType === mediaType && current.size === size;
    if (!this.isStrict && isSame && (await this.#writing(() => touch(path, checkedAt)))) return;
    await this.#write(repository, [{ path, bytes: line, mtime: checkedAt }]);
  }

  /** Whether there was one. */
  deleteTag(repository: QualifiedName, tag: Tag): Promise<boolean> {
    return this.#writing(() => removeFile(this.layout.tag(repository, tag)));
  }

  /** The tags on record, in ASCII order. */
  async tags(repository: QualifiedName): Promise<Tag[]> {
    return (await this.#names(this.layout.tags(repository))).filter(isTag);
  }

  /** Notes durably that a tag was deleted at a time, for as long as a shared cache may not know. */
  markDeleted(repository: QualifiedName, tag: Tag, at: number): Promise<void> {
    const path = this.layout.deletedTag(repository, tag);
    return this.#writing(() =>
      writeFilesAtomic([{ path, bytes: '', mtime: at }], { tmpDir: this.layout.tmpDir }),
    );
  }

  async unmarkDeleted(repository: QualifiedName, tag: Tag): Promise<void> {
    await this.#writing(() => removeFile(this.layout.deletedTag(repository, tag)));
  }

  /** When the tag was deleted, where that was noted; milliseconds since the epoch. */
  async deletedAt(repository: QualifiedName, tag: Tag): Promise<number | undefined> {
    const stats = await stat(this.layout.deletedTag(repository, tag)).catch(() => undefined);
    return stats === undefined ? undefined : Math.round(stats.mtimeMs);
  }

  member(
    repository: QualifiedName,
    kind: MemberKind,
    digest: Digest,
  ): Promise<Known<Member> | undefined> {
    return readRecordFile(
      this.layout.member(repository, kind, digest),
      (document) => parseMember({ ...document, digest }),
      this.#reading(smallFile),
    );
  }

  putMembers(
    repository: QualifiedName,
    kind: MemberKind,
    members: readonly Member[],
    at: number,
  ): Promise<void> {
    const files = members.map(({ digest, mediaType, size, claimed }) => ({
      path: this.layout.member(repository, kind, digest),
      bytes: toLine({ mediaType, size, claimed }),
      mtime: at,
    }));
    return this.#write(repository, files);
  }

  /** Whether it was a member. */
  deleteMember(repository: QualifiedName, kind: MemberKind, digest: Digest): Promise<boolean> {
    return this.#writing(() => removeFile(this.layout.member(repository, kind, digest)));
  }

  /** The members on record, in ASCII order. */
  async members(repository: QualifiedName, kind: MemberKind): Promise<Digest[]> {
    const found: Digest[] = [];
    for (const algorithm of digestAlgorithms) {
      const names = await this.#names(this.layout.members(repository, kind, algorithm));
      found.push(...names.map((hex) => `${algorithm}:${hex}`).filter(isDigest));
    }
    return found;
  }

  listing(repository: QualifiedName, key: string): Promise<Known<Listing> | undefined> {
    return readRecordFile(
      this.layout.listing(repository, key),
      (document, fetchedAt) => parseListing({ ...document, fetchedAt }),
      this.#reading(listingFile),
    );
  }

  putListing(repository: QualifiedName, key: string, listing: Listing): Promise<void> {
    const path = this.layout.listing(repository, key);
    const bytes = toLine({ value: listing.value });
    return this.#write(repository, [{ path, bytes, mtime: listing.fetchedAt }]);
  }

  /** Whether there was one. */
  deleteListing(repository: QualifiedName, key: string): Promise<boolean> {
    return this.#writing(() => removeFile(this.layout.listing(repository, key)));
  }

  /** The keys of the lists on record, in ASCII order. */
  async listings(repository: QualifiedName): Promise<string[]> {
    const names = await this.#names(this.layout.listings(repository));
    return names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));
  }

  /** Removes the repository's folders, those of which nothing is left. */
  async prune(repository: QualifiedName): Promise<void> {
    for (const folder of this.layout.foldersOf(repository)) {
      // What is not empty, or not there, stays as it is.
      await rmdir(folder).catch(() => undefined);
    }
    this.#walked = undefined;
    this.#generation += 1;
  }

  /** Every repository with a tag or a member, in ASCII order; at most `walkLifetime` old. */
  async repositories(): Promise<QualifiedName[]> {
    if (this.#walked !== undefined && Date.now() < this.#walked.until) {
      return [...this.#walked.names] as QualifiedName[];
    }
    const generation = this.#generation;
    return [...(await this.#walks.run(`walk ${generation}`, () => this.#walk(generation)))];
  }

  async #walk(generation: number): Promise<readonly QualifiedName[]> {
    const names = await walkRepositories(this.layout.root, (error) => this.#notListed(error));
    if (generation === this.#generation) {
      this.#walked = { names: new Set(names), until: Date.now() + this.#walkLifetime };
    }
    return names;
  }

  /** What lies in a folder, in ASCII order. */
  async #names(folder: string): Promise<string[]> {
    try {
      return (await readdir(folder)).toSorted();
    } catch (error) {
      if (!isMissing(error)) this.#notListed(error);
      return [];
    }
  }

  async #writing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof RegistryError) throw cause;
      const code = this.isStrict ? 'UNAVAILABLE' : 'UNKNOWN';
      throw new RegistryError(code, 'the record could not be written', { cause });
    }
  }

  #notListed(error: unknown): void {
    this.#observer.error({ operation: 'record.list', error });
    if (this.isStrict) throw unreadable(error);
  }

  #reading(limit: number): RecordReading {
    return { observer: this.#observer, limit, strict: this.isStrict };
  }

  async #write(repository: QualifiedName, files: readonly AtomicFile[]): Promise<void> {
    await this.#writing(() => writeFilesAtomic(files, { tmpDir: this.layout.tmpDir }));
    if (this.#walked?.names.has(repository) === true) return;
    this.#walked = undefined;
    this.#generation += 1;
  }
}

/** Sets the modification time; false where the file is gone. */
async function touch(path: string, time: number): Promise<boolean> {
  try {
    await utimes(path, new Date(time), new Date(time));
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
