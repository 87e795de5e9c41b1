/**
 * Garbage collection of what was pushed: mark and sweep, beside the running service.
 *
 * Each repository first gives up what it need not keep: tags by retention, manifests, and blobs that
 * no manifest of it names (repository-collector.ts). Then all that is still on record anywhere is
 * marked, and files of the store that nobody has marked are removed. What was linked while the
 * marking went on is known from its lock (`HostedLocks.watchBlobs`), and stays.
 *
 * A crash at any moment leaves files that the next run removes, and never a record without its file.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { walkRepositories } from '../catalog/repository-walk.ts';
import type { Digest } from '../oci/digest.ts';
import { hostedUpstream, type QualifiedName } from '../oci/repository-name.ts';
import type { StoredBlob } from '../store/blob-walk.ts';
import { DigestSet } from './digest-set.ts';
import type { BlobWatch } from './hosted-locks.ts';
import {
  nothing,
  RepositoryCollector,
  type Gone,
  type RepositoryCollectorOptions,
} from './repository-collector.ts';
import type { RepositoryReader } from './repository-reader.ts';

export interface CollectionOptions extends RepositoryCollectorOptions {
  /** All that is stored, some at a time. */
  readonly survey: (signal: AbortSignal) => AsyncIterable<readonly StoredBlob[]>;
  /** Takes a blob out of the store and out of memory; whether there was one. */
  readonly remove: (digest: Digest) => Promise<boolean>;
  /** Told of a repository of which nothing was removed, since it cannot be read or changed. */
  readonly onSkipped: (repository: QualifiedName, error: unknown) => void;
}

/** What a collection removed, or would. */
export interface CollectionReport {
  /** Nothing was removed: this is what would be. */
  readonly dry_run: boolean;
  /** How many were looked through. */
  readonly repositories: number;
  /** `local/app:v1` */
  readonly tags: readonly string[];
  /** `local/app@sha256:…` */
  readonly manifests: readonly string[];
  /** Files of the store, manifests included. */
  readonly blobs: number;
  /** Of these files. */
  readonly bytes: number;
  /** The repositories of which nothing was removed, since something there is wrong. */
  readonly skipped: readonly string[];
}

export class HostedCollection {
  readonly #options: CollectionOptions;
  readonly #root: string;

  constructor(options: CollectionOptions) {
    this.#options = options;
    this.#root = options.layout.repositories;
  }

  /**
   * Runs once. Runs beside each other do no harm, but may tell of the same removals twice.
   * @throws where the record or the store cannot be read: then no file was removed
   */
  async run(dryRun: boolean, signal: AbortSignal): Promise<CollectionReport> {
    using watch = this.#options.locks.watchBlobs();
    const marked = new DigestSet();
    const tags: string[] = [];
    const manifests: string[] = [];
    const skipped: string[] = [];
    const repositories = await this.#repositories();
    for (const key of repositories) {
      signal.throwIfAborted();
      const name = key.slice(hostedUpstream.length + 1);
      const collector = new RepositoryCollector(key, this.#options);
      let gone = nothing();
      try {
        if (dryRun) gone = await collector.plan();
        else await collector.collect(gone, signal);
      } catch (error) {
        signal.throwIfAborted();
        this.#options.onSkipped(key, error);
        skipped.push(name);
      }
      for (const { tag } of gone.tags) tags.push(`${name}:${tag}`);
      for (const digest of gone.manifests) manifests.push(`${name}@${digest}`);
      await mark(marked, collector.reader, gone, dryRun);
    }
    const isLost = repositories.length === 0 && !(await this.#hasRecord());
    const swept = isLost
      ? { blobs: 0, bytes: 0 }
      : await this.#sweep({ marked, watch, dryRun }, signal);
    return {
      dry_run: dryRun,
      repositories: repositories.length,
      tags,
      manifests,
      ...swept,
      skipped,
    };
  }

  /** @throws the file system's error: what was left out would be swept away */
  async #repositories(): Promise<QualifiedName[]> {
    let failure: unknown;
    const found = await walkRepositories(
      this.#root,
      (error) => (failure ??= error),
      undefined,
      (path) =>
        (failure ??= new Error(`${path} is a link, and what is behind it is not looked at`)),
    );
    if (failure !== undefined) throw failure;
    return found;
  }

  /** The folder stays when the last repository goes. Without it the record was lost, or never was. */
  async #hasRecord(): Promise<boolean> {
    const found = await stat(join(this.#root, hostedUpstream)).catch(() => undefined);
    return found?.isDirectory() === true;
  }

  async #sweep(
    { marked, watch, dryRun }: Sweep,
    signal: AbortSignal,
  ): Promise<{ blobs: number; bytes: number }> {
    const { survey, remove, locks } = this.#options;
    let [blobs, bytes] = [0, 0];
    for await (const stored of survey(signal)) {
      for (const { digest, size } of stored) {
        if (marked.has(digest)) continue;
        const isRemoved =
          dryRun ||
          (await locks.removingBlob(digest, async () => !watch.seen.has(digest) && remove(digest)));
        if (!isRemoved) continue;
        blobs++;
        bytes += size;
      }
    }
    return { blobs, bytes };
  }
}

interface Sweep {
  readonly marked: DigestSet;
  readonly watch: BlobWatch;
  readonly dryRun: boolean;
}

/**
 * Marks what a repository has on record, and what its manifests name even where that is not on record.
 * @param gone what was removed, or with a dry run would be
 */
async function mark(
  marked: DigestSet,
  reader: RepositoryReader,
  gone: Gone,
  dryRun: boolean,
): Promise<void> {
  const without = { manifests: new Set(gone.manifests), blobs: new Set(gone.blobs) };
  for (const kind of ['manifests', 'blobs'] as const) {
    for await (const digest of reader.files.list(reader.key, kind)) {
      if (!dryRun || !without[kind].has(digest)) marked.add(digest);
    }
  }
  for (const digest of reader.named(without.manifests)) marked.add(digest);
}
