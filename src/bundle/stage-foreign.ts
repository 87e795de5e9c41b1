import { open } from 'node:fs/promises';
import type { TarEntry, TarReader } from '../lib/tar-reader.ts';
import { digestOf, splitDigest, type Digest } from '../oci/digest.ts';
import { maxManifestSize } from '../oci/manifest.ts';
import { ArchivePaths } from './archive-paths.ts';
import type { BundledContent } from './bundle-index.ts';
import { compressionOf, type Compression } from './compression.ts';
import { invalidBundle, quoted, wrongBytes } from './faults.ts';
import { digestOfPath } from './stage-bundle.ts';
import type { IsStored, OnBytes, Staging } from './staging.ts';

export interface StageForeignOptions {
  readonly reader: TarReader;
  /** Whether its first entry was `oci-layout`, which was read. */
  readonly hasLayout: boolean;
  /** The entry behind it. */
  readonly next: TarEntry | undefined;
  readonly staging: Staging;
  readonly isStored: IsStored;
  /** Fails where the disk has no room for so many more bytes. */
  readonly assertDiskRoom: (bytes: number) => Promise<void>;
  readonly onBytes: OnBytes;
}

/** The largest of the files that say what is in an archive, in bytes. */
const maxDocument = 16 * 1024 * 1024;

/** What says so. */
const documents: ReadonlySet<string> = new Set(['oci-layout', 'index.json', 'manifest.json']);

/** What `docker save` writes besides, for clients of before 2016: never of use. */
const useless = /^(repositories|[0-9a-f]{64}\/(VERSION|json))$/;

/**
 * An archive that others have written, laid down file by file: what says which images are in it may
 * come last.
 */
export class ForeignArchive {
  readonly #staging: Staging;
  readonly #documents = new Map<string, Buffer>();
  readonly #paths = new ArchivePaths<BundledContent>();
  readonly #contents = new Map<Digest, BundledContent>();

  private constructor(staging: Staging) {
    this.#staging = staging;
  }

  /**
   * Reads it to its end. What its name gives the digest of has it; what is written is synced.
   * @throws RegistryError BUNDLE_INVALID, UNAVAILABLE (no room); TarFault; what the disk fails with
   */
  static async stage(options: StageForeignOptions): Promise<ForeignArchive> {
    const { reader, staging, hasLayout, next } = options;
    await staging.open();
    const archive = new ForeignArchive(staging);
    if (hasLayout) archive.#documents.set('oci-layout', Buffer.alloc(0));
    for (let entry = next; entry !== undefined; entry = await reader.next()) {
      await archive.#take(entry, options);
    }
    await staging.settled();
    return archive;
  }

  /** One of the files that say what is in it. */
  document(name: 'index.json' | 'manifest.json'): Buffer | undefined {
    return this.#documents.get(name);
  }

  /** Whether it is an OCI image layout (image-spec, image-layout.md), whatever else it is. */
  get isLayout(): boolean {
    return this.#documents.has('oci-layout') && this.#documents.has('index.json');
  }

  /** Everything that lies in it, each once. */
  get contents(): ReadonlyMap<Digest, BundledContent> {
    return this.#contents;
  }

  /** @throws RegistryError BUNDLE_INVALID for a link, which has no place in an OCI layout */
  assertNoLinks(): void {
    const { link } = this.#paths;
    if (link !== undefined)
      throw invalidBundle(`${quoted(link)} is a link: only files may be in it`);
  }

  /** What lies under a path. @throws RegistryError BUNDLE_INVALID where that is nothing */
  find(path: string): BundledContent {
    const found = this.#paths.find(path.replace(/^\.\//, ''));
    if (found === undefined) throw invalidBundle(`${quoted(path)} should be in it and is not`);
    return found;
  }

  /** The whole of a small file that lies in it. */
  async read(digest: Digest): Promise<Buffer | undefined> {
    return this.#staging.read(digest, maxManifestSize);
  }

  /** How a file is packed that lies in it. */
  async compressionOf(digest: Digest): Promise<Compression | undefined> {
    await using file = await open(this.#staging.path(digest), 'r');
    const front = Buffer.alloc(4);
    const { bytesRead } = await file.read(front, 0, front.length, 0);
    return compressionOf(front.subarray(0, bytesRead));
  }

  async #take(entry: TarEntry, options: StageForeignOptions): Promise<void> {
    const { reader, assertDiskRoom } = options;
    const path = this.#paths.enter(entry);
    if (path === undefined) return;
    const { size } = entry;
    if (useless.test(path)) {
      if (size > maxDocument) throw invalidBundle(`${quoted(path)} has ${size} bytes`);
      return;
    }
    await assertDiskRoom(size);
    if (documents.has(path)) {
      this.#documents.set(path, await reader.whole(maxDocument));
      return;
    }
    const digest = digestOfPath(path);
    if (digest === undefined && path.startsWith('blobs/')) {
      throw invalidBundle(`it holds ${quoted(path)}, which is no name of a blob`);
    }
    const content = await this.#keep(digest, size, options);
    this.#paths.set(path, content);
    this.#contents.set(content.digest, content);
  }

  /** @param digest undefined where only the bytes tell it */
  async #keep(
    digest: Digest | undefined,
    size: number,
    { reader, staging, isStored, onBytes }: StageForeignOptions,
  ): Promise<BundledContent> {
    if (size <= maxManifestSize) {
      // It may be a manifest, or a config, which is to be read.
      const bytes = await reader.whole(size);
      onBytes(size, size);
      const actual = digestOf(bytes, digest && splitDigest(digest).algorithm);
      if (digest !== undefined && digest !== actual) throw wrongBytes(digest, actual);
      await staging.put(actual, bytes);
      return { digest: actual, size };
    }
    if (digest === undefined) return staging.takeUnknown(reader, onBytes);
    await staging.take(reader, { digest, size }, await isStored(digest, size), onBytes);
    return { digest, size };
  }
}
