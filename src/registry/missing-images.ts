import type { Digest } from '../oci/digest.ts';

/**
 * An image that somebody asked for, and that is not here, or not all of it. As the operations API
 * tells it and as it stands in the file.
 */
export interface MissingImage {
  /** Its full name with a tag or a digest: what `baleen warm` takes. */
  readonly image: string;
  /** Full names under which it is known, where it was asked for by its digest. */
  readonly tags?: readonly string[];
  /** Such as `linux/arm64`, where the index that names it is here. */
  readonly platform?: string;
  /** Blobs that its manifest, which is here, names and that are not here. */
  readonly blobs?: readonly Digest[];
  /** Requests. */
  readonly count: number;
  /** RFC 3339, in UTC. */
  readonly first_asked: string;
  readonly last_asked: string;
}

/** What a request that could not be answered says of the image that it was about. */
export type Sighting = Pick<MissingImage, 'image' | 'tags' | 'platform' | 'blobs'>;

/** Blobs that are noted of one image: enough to tell when it is whole again. */
const maxBlobs = 32;

/** Those that were asked for longest ago, of which one has to go. */
const candidates = 100;

/** What was asked for and is not here, no more than so many images. */
export class MissingImages {
  readonly #limit: number;
  readonly #now: () => number;
  /** In the order in which they were last asked for. */
  readonly #images = new Map<string, MissingImage>();

  constructor(limit = 10_000, now: () => number = Date.now) {
    this.#limit = limit;
    this.#now = now;
  }

  get size(): number {
    return this.#images.size;
  }

  /** Takes in what was noted before, in the order in which it was last asked for. */
  restore(images: readonly MissingImage[]): void {
    for (const each of images.slice(-this.#limit)) this.#images.set(each.image, each);
  }

  /** Notes a request. @returns whether the image is new here */
  note({ image, tags, platform, blobs }: Sighting): boolean {
    const known = this.#images.get(image);
    const at = new Date(this.#now()).toISOString();
    // Where the manifest itself is not here, nobody can say which blobs are.
    const isWhole = known !== undefined && known.blobs === undefined;
    const lacking = [...new Set([...(known?.blobs ?? []), ...(blobs ?? [])])].slice(0, maxBlobs);
    const names = tags ?? known?.tags;
    const runsOn = platform ?? known?.platform;
    this.#images.delete(image);
    if (this.#images.size >= this.#limit) this.#makeRoom();
    this.#images.set(image, {
      image,
      ...(names !== undefined && names.length > 0 && { tags: names }),
      ...(runsOn !== undefined && { platform: runsOn }),
      ...(blobs !== undefined && !isWhole && { blobs: lacking }),
      count: (known?.count ?? 0) + 1,
      first_asked: known?.first_asked ?? at,
      last_asked: at,
    });
    return known === undefined;
  }

  /** Those that were asked for last come last. */
  all(): MissingImage[] {
    return [...this.#images.values()];
  }

  /** Takes an image off, unless it was asked for again since it was read. @returns whether it was on */
  remove(seen: MissingImage): boolean {
    return this.#images.get(seen.image) === seen && this.#images.delete(seen.image);
  }

  /** Takes all off. @returns what was on */
  clear(): MissingImage[] {
    const images = this.all();
    this.#images.clear();
    return images;
  }

  /** Of those that nobody has asked for in a long time, the one that was asked for least goes. */
  #makeRoom(): void {
    let least: MissingImage | undefined;
    let looked = 0;
    for (const each of this.#images.values()) {
      if (least === undefined || each.count < least.count) least = each;
      looked += 1;
      if (looked === candidates) break;
    }
    if (least !== undefined) this.#images.delete(least.image);
  }
}
