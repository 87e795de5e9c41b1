import { Serial } from '../lib/serial.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { formatPlatform, isAttestation, readPlatform } from '../oci/platform.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import { dayOf, type ObservedDays, type PullCount } from './observed-days.ts';

export interface ObservedUseOptions {
  readonly days: ObservedDays;
  /** The bytes of a manifest, or undefined where it is not stored. */
  readonly read: (digest: Digest) => Promise<Buffer | undefined>;
}

interface Pending {
  count: number;
  /** What was answered last. */
  digest: Digest;
}

interface Sum {
  pulls: number;
  readonly platforms: Set<string>;
}

interface Counted {
  pulls: number;
  readonly platforms: Set<string>;
  /** What its tag was answered with last, by this process. */
  digest: Digest | undefined;
}

/** Images and manifests noted between two batches. */
const mostPending = 50_000;
/** Images of a day; those that were pulled least go. */
const mostImages = 20_000;
/** Images that are looked at together, of several days. */
const mostSums = 100_000;
/** Platforms of an image; there are not so many. */
const mostPlatforms = 50;

/** Milliseconds. */
const day = 86_400_000;

/** Names that clients give to what belongs to an image (distribution specification, "Referrers Tag Schema"; cosign). */
const ofReferrers = /^sha(?:256|512)-[0-9a-f]{32,}/;

/**
 * What clients pull, counted by tag and day. A pull costs a look into two maps; all else is done now and
 * then, in batches. In which platforms an index is pulled, the children tell that clients ask for after it.
 */
export class ObservedUse {
  /** Whether anything is counted. */
  isOn = false;
  readonly #options: ObservedUseOptions;
  readonly #serial = new Serial();
  #pending = new Map<QualifiedName, Map<string, Pending>>();
  #pendingSize = 0;
  #today: string | undefined;
  #counted = new Map<string, Counted>();
  /** What was counted in this batch, by its repository, and in the one before. */
  #recent = new Map<QualifiedName, Set<Counted>>();
  #before = new Map<QualifiedName, Set<Counted>>();
  #hasChanged = false;

  constructor(options: ObservedUseOptions) {
    this.#options = options;
  }

  /** A client got a manifest by its tag or digest. */
  pulled(repository: QualifiedName, reference: string, digest: Digest): void {
    let references = this.#pending.get(repository);
    const pending = references?.get(reference);
    if (pending !== undefined) {
      pending.count++;
      pending.digest = digest;
      return;
    }
    if (this.#pendingSize >= mostPending) return;
    if (references === undefined) {
      references = new Map();
      this.#pending.set(repository, references);
    }
    references.set(reference, { count: 1, digest });
    this.#pendingSize++;
  }

  /**
   * Counts what was noted, and writes it down.
   * @param now milliseconds since the epoch
   * @param days how many are kept
   * @throws the disk's error; what could not be written is written the next time
   */
  flush(now: number, days: number): Promise<void> {
    return this.#serial.run(['flush'], async () => {
      const today = dayOf(now);
      if (this.#today !== today) await this.#turnTo(today, now, days);
      await this.#count();
      if (!this.#hasChanged) return;
      this.#hasChanged = false;
      try {
        await this.#options.days.write(today, this.#counts());
      } catch (error) {
        this.#hasChanged = true;
        throw error;
      }
    });
  }

  /**
   * The images that were pulled most in the last days, today included; of equals, those of later days.
   * @throws the disk's error
   */
  async mostPulled(now: number, days: number): Promise<PullCount[]> {
    let sums = new Map<string, Sum>();
    for (let back = 0; back < days; back++) {
      const of = dayOf(now - back * day);
      const counts = of === this.#today ? this.#counts() : await this.#options.days.read(of);
      for (const { image, pulls, platforms } of counts) {
        const sum = sums.get(image);
        if (sum === undefined) sums.set(image, { pulls, platforms: new Set(platforms) });
        else {
          sum.pulls += pulls;
          for (const platform of platforms) sum.platforms.add(platform);
        }
      }
      // Those of some days are all different, where somebody pulls whatever there is.
      if (sums.size > mostSums) sums = new Map(mostFirst(sums).slice(0, mostSums / 2));
    }
    return mostFirst(sums).map(([image, { pulls, platforms }]) => ({
      image,
      pulls,
      platforms: [...platforms],
    }));
  }

  /** At the start, and at midnight: what was noted last counts for the new day. */
  async #turnTo(today: string, now: number, days: number): Promise<void> {
    if (this.#today !== undefined && this.#hasChanged) {
      await this.#options.days.write(this.#today, this.#counts());
      this.#hasChanged = false;
    }
    const counts = await this.#options.days.read(today);
    this.#counted = new Map(
      counts.map(({ image, pulls, platforms }) => {
        const counted: Counted = { pulls, platforms: new Set(platforms), digest: undefined };
        return [image, counted];
      }),
    );
    this.#today = today;
    await this.#options.days.removeBefore(dayOf(now - (days - 1) * day));
  }

  async #count(): Promise<void> {
    const noted = this.#pending;
    this.#pending = new Map();
    this.#pendingSize = 0;
    this.#before = this.#recent;
    this.#recent = new Map();
    for (const [repository, references] of noted) {
      const digests = new Set<Digest>();
      for (const [reference, pending] of references) {
        if (isDigest(reference)) digests.add(reference);
        else if (!ofReferrers.test(reference)) this.#countTag(repository, reference, pending);
      }
      if (digests.size > 0) await this.#findPlatforms(repository, digests);
    }
    if (this.#counted.size > mostImages) this.#dropLeast();
  }

  #countTag(repository: QualifiedName, tag: string, { count, digest }: Pending): void {
    const image = `${repository}:${tag}`;
    let counted = this.#counted.get(image);
    if (counted === undefined) {
      counted = { pulls: 0, platforms: new Set(), digest };
      this.#counted.set(image, counted);
    }
    counted.pulls += count;
    counted.digest = digest;
    this.#hasChanged = true;
    const recent = this.#recent.get(repository);
    if (recent === undefined) this.#recent.set(repository, new Set([counted]));
    else recent.add(counted);
  }

  /** Clients ask for a tag, and then for the child that they can run: now, or just after the last batch. */
  async #findPlatforms(repository: QualifiedName, digests: ReadonlySet<Digest>): Promise<void> {
    const recent = [this.#recent, this.#before].flatMap((batch) => [
      ...(batch.get(repository) ?? []),
    ]);
    for (const { digest, platforms } of new Set(recent)) {
      const bytes = digest && (await this.#options.read(digest).catch(() => undefined));
      for (const platform of bytes === undefined ? [] : platformsIn(bytes, digests)) {
        if (platforms.has(platform) || platforms.size >= mostPlatforms) continue;
        platforms.add(platform);
        this.#hasChanged = true;
      }
    }
  }

  #dropLeast(): void {
    this.#counted = new Map(mostFirst(this.#counted).slice(0, Math.floor(mostImages * 0.9)));
  }

  #counts(): PullCount[] {
    return [...this.#counted].map(([image, { pulls, platforms }]) => ({
      image,
      pulls,
      platforms: [...platforms].toSorted(),
    }));
  }
}

/** Of equals, the order stays. */
function mostFirst<T extends { readonly pulls: number }>(images: Map<string, T>): [string, T][] {
  return [...images].toSorted(([, a], [, b]) => b.pulls - a.pulls);
}

/** The platforms for which an index names one of these manifests. */
function platformsIn(bytes: Buffer, digests: ReadonlySet<Digest>): string[] {
  try {
    return parseManifest(bytes, '').manifests.flatMap((child) => {
      if (!digests.has(child.digest) || isAttestation(child)) return [];
      const platform = readPlatform(child['platform']);
      return platform === undefined ? [] : [formatPlatform(platform)];
    });
  } catch {
    // It was served, so it can be read; but nothing here is worth a failure.
    return [];
  }
}
