import { Limit } from '../lib/limit.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { toRegistryError } from '../oci/errors.ts';
import type { Platforms } from '../oci/platform.ts';
import type { Reference } from '../oci/reference.ts';
import type { HostedRoute, Route } from '../registry/resolve-route.ts';
import { BlobFetches } from './blob-fetches.ts';
import { FailedFetch, fetchImage } from './fetch-image.ts';
import { followImage, type Followed, type UpstreamImage, type WarmTools } from './follow-image.ts';
import { Patience } from './patience.ts';
import { tooSmall } from './room.ts';
import { expandTagPattern, parseTagPattern } from './tag-pattern.ts';
import type { ImageDone, WarmEvent, WarmProgress, WarmSummary } from './warm-event.ts';
import { findRepository, findTarget, type WarmTarget } from './warm-target.ts';
import type { WarmWish, WarmWishes } from './warm-wishes.ts';
import type { WarmerOptions } from './warmer-options.ts';

/** One run of the warmer. An image that fails stops no other. */
export class WarmRun {
  readonly #options: WarmerOptions;
  readonly #wishes: WarmWishes;
  readonly #signal: AbortSignal;
  readonly #started = performance.now();
  readonly #patience: Patience;
  readonly #blobs: BlobFetches;
  readonly #tools: WarmTools;
  /** Images at work, by their upstream: one that lets us wait holds up no other. */
  readonly #limits = new Map<string, Limit>();
  /** By name and platforms. */
  readonly #begun = new Set<string>();
  /** Blobs that are missing, of the images that they are being fetched for. */
  readonly #atWork = new Set<{ readonly image: string; readonly missing: readonly Descriptor[] }>();
  #told: WarmEvent[] = [];
  #count: number;
  #done = 0;
  #failed = 0;
  #hasToldOfRoom = false;

  constructor(options: WarmerOptions, wishes: WarmWishes, signal: AbortSignal) {
    const { catalog, store, content, filler, patience } = options;
    const { jobs, bandwidth } = wishes;
    this.#options = options;
    this.#wishes = wishes;
    this.#signal = signal;
    this.#count = wishes.images.length;
    const tell = (event: WarmEvent): void => void this.#told.push(event);
    this.#patience = new Patience(patience, tell, signal);
    const shared = { catalog, store, patience: this.#patience, signal };
    this.#blobs = new BlobFetches({ ...shared, filler, jobs, bandwidth });
    const questions = new Limit(jobs);
    this.#tools = { ...shared, content, questions, blobs: this.#blobs, tell };
  }

  /** Settles when every image is done; rejects only with the signal's reason. */
  async work(): Promise<void> {
    await Promise.all(this.#wishes.images.map((wish) => this.#wish(wish)));
    this.#signal.throwIfAborted();
  }

  /** What there is to tell since the last time. */
  take(): WarmEvent[] {
    const told = this.#told;
    this.#told = [];
    return told;
  }

  /** How far it has come. */
  get progress(): WarmProgress {
    const { ledger } = this.#blobs;
    return {
      kind: 'progress',
      ...ledger.progress,
      images_done: this.#done,
      images: this.#count,
      at_work: [...this.#atWork].map(({ image, missing }) => ({
        image,
        bytes: missing.reduce((sum, blob) => sum + ledger.cameOf(blob), 0),
        total: missing.reduce((sum, { size }) => sum + size, 0),
      })),
    };
  }

  get summary(): WarmSummary {
    const { present, missing, fetched: came } = this.#blobs.ledger;
    const isDry = this.#wishes.dryRun;
    const fetched = isDry ? missing : came;
    return {
      kind: 'summary',
      images: this.#done,
      failed: this.#failed,
      fetched_bytes: fetched.bytes,
      fetched_blobs: fetched.blobs,
      present_bytes: present.bytes,
      present_blobs: present.blobs,
      seconds: Math.round(performance.now() - this.#started) / 1000,
      dry_run: isDry,
    };
  }

  async #wish(wish: WarmWish): Promise<void> {
    const names = await this.#expand(wish);
    this.#count += names.length - 1;
    await Promise.all(names.map((name) => this.#one(name, wish.platforms)));
  }

  /** One image, or all that a pattern stands for. */
  async #expand({ reference, newest }: WarmWish): Promise<readonly string[]> {
    const pattern = parseTagPattern(reference);
    if (pattern === undefined) return [reference];
    try {
      return await expandTagPattern(pattern, newest, this.#listTags, this.#signal);
    } catch (error) {
      this.#count++;
      this.#fail(reference, undefined, error);
      return [];
    }
  }

  readonly #listTags = async (name: string): Promise<readonly string[]> => {
    const { table, content, hosted } = this.#options;
    const route = findRepository(name, table);
    if (route.via === 'hosted') return hosted.tags(route);
    const { questions } = this.#tools;
    const { tags } = await this.#patience.ask(route.remote.upstream, () =>
      questions.run(() => content.tags.list(route), this.#signal),
    );
    return tags;
  };

  async #one(text: string, platforms: Platforms): Promise<void> {
    let target: WarmTarget;
    try {
      target = findTarget(text, this.#options.table);
    } catch (error) {
      this.#fail(text, undefined, error);
      return;
    }
    const { name, route, reference } = target;
    const key = JSON.stringify([name, platforms]);
    if (this.#begun.has(key)) {
      // It was asked for twice.
      this.#count--;
      return;
    }
    this.#begun.add(key);
    await this.#limitOf(route).run(async () => {
      if (route.via === 'hosted') await this.#look(name, route, reference);
      else await this.#warm({ name, route, reference, platforms });
    });
  }

  #limitOf(route: Route): Limit {
    const upstream = route.via === 'hosted' ? '' : route.remote.name;
    const limit = this.#limits.get(upstream) ?? new Limit(this.#wishes.jobs);
    this.#limits.set(upstream, limit);
    return limit;
  }

  /** What was pushed here is there, or is not. */
  async #look(image: string, route: HostedRoute, reference: Reference): Promise<void> {
    try {
      const digest = await this.#options.hosted.digest(route, reference);
      this.#end({ image, result: 'present', digest, fetched_bytes: 0, fetched_blobs: 0 });
    } catch (error) {
      this.#fail(image, undefined, error);
    }
  }

  async #warm(image: Omit<UpstreamImage, 'withReferrers'>): Promise<void> {
    if (this.#signal.aborted) return;
    const { name, route, reference } = image;
    const { referrers: withReferrers, dryRun, pin } = this.#wishes;
    let followed: Followed | undefined;
    try {
      followed = await followImage(this.#tools, { ...image, withReferrers });
      this.#tellOfRoom();
      const { digest, found } = followed;
      if (dryRun) {
        const result = found.missing.length > 0 ? 'planned' : 'present';
        const { bytes, blobs } = found.news;
        this.#end({ image: name, result, digest, fetched_bytes: bytes, fetched_blobs: blobs });
        return;
      }
      if (pin) await this.#options.pin({ repository: route.key, reference });
      this.#end({ image: name, ...(await this.#fetch(image, followed)) });
    } catch (error) {
      this.#fail(name, followed?.digest, error);
    }
  }

  async #fetch(
    { name: image, route }: Pick<UpstreamImage, 'name' | 'route'>,
    followed: Followed,
  ): ReturnType<typeof fetchImage> {
    const { missing } = followed.found;
    const work = { image, missing };
    if (missing.length > 0) this.#atWork.add(work);
    try {
      return await fetchImage(this.#blobs, route, followed, this.#signal);
    } finally {
      this.#atWork.delete(work);
    }
  }

  #tellOfRoom(): void {
    const { present, missing } = this.#blobs.ledger;
    const message = tooSmall(present.bytes + missing.bytes, this.#options.maxSize);
    if (message === undefined || this.#hasToldOfRoom) return;
    this.#hasToldOfRoom = true;
    this.#told.push({ kind: 'notice', message });
  }

  #fail(image: string, digest: Digest | undefined, thrown: unknown): void {
    if (this.#signal.aborted) return;
    const error = toRegistryError(thrown);
    this.#failed++;
    this.#options.observer.imageFailed(image, error);
    const { code, message } = error;
    const fetched =
      error instanceof FailedFetch
        ? error.fetched
        : { ...(digest && { digest }), fetched_bytes: 0, fetched_blobs: 0 };
    this.#end({ image, result: 'failed', ...fetched, code, message });
  }

  #end(done: Omit<ImageDone, 'kind'>): void {
    this.#done++;
    this.#told.push({ kind: 'image', ...done });
  }
}
