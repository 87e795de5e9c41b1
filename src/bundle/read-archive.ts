import type { TarEntry } from '../lib/tar-reader.ts';
import { digestOf, splitDigest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import type { ImagePlace } from '../registry/image-place.ts';
import { maxBundleIndexSize, type BundledContent, type BundleIndex } from './bundle-index.ts';
import { bundleFiles } from './bundle-layout.ts';
import { invalidBundle, isRefusal, refusalOf } from './faults.ts';
import { foreignImages } from './foreign-images.ts';
import { ForeignNames } from './foreign-names.ts';
import type { OpenArchive } from './open-archive.ts';
import { assertFile, readFront, stageBundle, type AssertRoom } from './stage-bundle.ts';
import { ForeignArchive } from './stage-foreign.ts';
import { lockStaging, Staging, type IsStored, type OnBytes } from './staging.ts';
import { judge, type Trust } from './trust.ts';

export interface ReadArchiveOptions {
  /** The versioned data folder, `<data>/v1`. */
  readonly root: string;
  readonly archive: OpenArchive;
  readonly trust: Trust;
  /** A name for what has none, or only a tag. */
  readonly name: string | undefined;
  /** Whether nothing is to be kept: it is only looked at. */
  readonly isDryRun: boolean;
  /** @throws RegistryError NAME_INVALID, NAME_UNKNOWN */
  readonly placeOf: (repository: string) => ImagePlace;
  readonly isStored: IsStored;
  readonly assertRoom: AssertRoom;
  /** Fails where the disk has no room for so many more bytes. */
  readonly assertDiskRoom: (bytes: number) => Promise<void>;
  readonly onBytes: OnBytes;
  /** Told what a bundle holds as soon as that is known. */
  readonly onIndex: (index: BundleIndex) => void;
}

/** What was read, verified and, unless it was only looked at, laid down. */
export interface ArchiveRead {
  readonly kind: 'bundle' | 'oci' | 'docker';
  /** What the service knows it by. */
  readonly staged: string;
  readonly index: BundleIndex;
  /** What was not stored before. */
  readonly fresh: readonly BundledContent[];
  /** The id of the key that has signed it, where that is known here. */
  readonly signedBy: string | undefined;
  /** Takes it away again. */
  readonly discard: () => Promise<void>;
  /** To be called at the end: nobody else works on it until then. */
  readonly release: () => void;
}

/** Bytes of `oci-layout`. */
const maxLayoutFile = 1024;

/**
 * Reads a file full of images: a bundle, an OCI archive, or what `docker save` writes. It leaves nothing
 * behind where the file is not what it should be; where anything else goes wrong, what is right stays
 * for the next time.
 * @throws RegistryError BUNDLE_INVALID, BUNDLE_INCOMPLETE, BUNDLE_UNTRUSTED; UNAVAILABLE for want of room;
 *   those of names; or what the disk fails with
 */
export async function readArchive(options: ReadArchiveOptions): Promise<ArchiveRead> {
  const reading = new Reading(options);
  try {
    return await reading.run();
  } catch (error) {
    const refusal = refusalOf(error);
    await reading.giveUp(isRefusal(refusal));
    throw refusal;
  }
}

class Reading {
  readonly #options: ReadArchiveOptions;
  #staging: Staging | undefined;
  #lock: Disposable | undefined;

  constructor(options: ReadArchiveOptions) {
    this.#options = options;
  }

  async run(): Promise<ArchiveRead> {
    const { reader } = this.#options.archive;
    let entry = await reader.next();
    let layout: TarEntry | undefined;
    if (entry?.name === bundleFiles.layout) {
      layout = entry;
      assertFile(entry);
      assertLayout(await reader.whole(maxLayoutFile));
      entry = await reader.next();
    }
    const isBundle = layout !== undefined && entry?.name === bundleFiles.digests;
    return isBundle ? this.#bundle(entry) : this.#foreign(layout, entry);
  }

  async giveUp(isRefused: boolean): Promise<void> {
    if (isRefused || this.#options.isDryRun) await this.#staging?.discard();
    // What is right so far is still on its way to its name; nobody else may work on it before.
    else await this.#staging?.settled().catch(() => undefined);
    this.#lock?.[Symbol.dispose]();
  }

  async #bundle(entry: TarEntry | undefined): Promise<ArchiveRead> {
    const { archive, trust, isDryRun, placeOf, onIndex, ...rest } = this.#options;
    const { reader } = archive;
    if (entry !== undefined) assertFile(entry);
    const front = await readFront(reader, maxBundleIndexSize, trust);
    const { index, digests, signedBy } = front;
    for (const repository of repositoriesOf(index)) placeOf(repository);
    onIndex(index);
    const id = splitDigest(digestOf(digests)).hex;
    const staging = isDryRun ? undefined : this.#stage(id);
    const { fresh } = await stageBundle({ ...rest, reader, front, staging });
    return { kind: 'bundle', staged: id, index, fresh, signedBy, ...this.#ways() };
  }

  /** @param layout the entry of `oci-layout`, where that has been read already */
  async #foreign(layout: TarEntry | undefined, next: TarEntry | undefined): Promise<ArchiveRead> {
    const { archive, trust, name, isStored, placeOf, assertRoom } = this.#options;
    // It has nothing that could be signed.
    judge(trust, undefined, undefined);
    const staging = this.#stage(archive.front);
    const read = await ForeignArchive.stage({
      ...this.#options,
      reader: archive.reader,
      staging,
      hasLayout: layout !== undefined,
      next,
    });
    const names = new ForeignNames(name, placeOf);
    const { kind, index, digests, graph } = await foreignImages(read, staging, names, isStored);
    const listed = [...index.manifests, ...index.blobs];
    const needed = new Set(listed.map(({ digest }) => digest));
    for (const digest of read.contents.keys()) {
      if (!needed.has(digest)) await staging.drop(digest);
    }
    const fresh: BundledContent[] = [];
    for (const each of listed) {
      if (!(await isStored(each.digest, each.size))) fresh.push(each);
    }
    // All of it is on the disk already.
    await assertRoom(index, graph, 0);
    if (this.#options.isDryRun) await staging.discard();
    else await staging.describe(digests, undefined);
    return { kind, staged: staging.id, index, fresh, signedBy: undefined, ...this.#ways() };
  }

  #stage(id: string): Staging {
    const { root } = this.#options;
    this.#lock = lockStaging(root, id);
    if (this.#lock === undefined) {
      throw new RegistryError('UNAVAILABLE', 'this very file is being imported at this moment');
    }
    this.#staging = new Staging(root, id);
    return this.#staging;
  }

  #ways(): Pick<ArchiveRead, 'discard' | 'release'> {
    return {
      discard: async () => this.#staging?.discard(),
      release: () => this.#lock?.[Symbol.dispose](),
    };
  }
}

function assertLayout(bytes: Buffer): void {
  let version: unknown;
  try {
    ({ imageLayoutVersion: version } = JSON.parse(bytes.toString('utf8')) as {
      imageLayoutVersion?: unknown;
    });
  } catch {
    // No version either.
  }
  if (version !== '1.0.0')
    throw invalidBundle('its oci-layout is of no version that is known here');
}

function repositoriesOf({ images, referrers }: BundleIndex): Set<string> {
  return new Set([
    ...images.map(({ name }) => parseImageReference(name).name),
    ...referrers.map(({ repository }) => repository),
  ]);
}
