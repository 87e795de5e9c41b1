import type { Pin } from '../catalog/pin-record.ts';
import { Limit } from '../lib/limit.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { toRegistryError } from '../oci/errors.ts';
import type { Platforms } from '../oci/platform.ts';
import type { ProxiedRoute } from '../registry/resolve-route.ts';
import { BlobFetches, type Found } from './blob-fetches.ts';
import { FailedFetch } from './failed-fetch.ts';
import { ImageFollower } from './image-follower.ts';
import { Patience } from './patience.ts';
import { RepositoryQuestions } from './repository-questions.ts';
import { tooSmall } from './room.ts';
import { expandTagPattern, parseTagPattern } from './tag-pattern.ts';
import type { ImageDone, WarmEvent, WarmProgress, WarmSummary } from './warm-event.ts';
import { findRepository, findTarget, type WarmTarget } from './warm-target.ts';
import type { WarmWish, WarmWishes } from './warm-wishes.ts';
import type { WarmerOptions } from './warmer-options.ts';

/** An image whose manifests are in. */
interface Followed {
  readonly digest: Digest;
  readonly found: Found;
  /** Whether a manifest of it had to be fetched. */
  readonly hasFetched: boolean;
}

/** One run of the warmer. An image that fails stops no other. */
export class WarmRun {
  readonly #options: WarmerOptions;
  readonly #wishes: WarmWishes;
  readonly #signal: AbortSignal;
  readonly #started = performance.now();
  readonly #patience: Patience;
  readonly #images: Limit;
  readonly #questions: Limit;
  readonly #blobs: BlobFetches;
  /** By name and platforms. */
  readonly #begun = new Set<string>();
  /** Blobs that are missing, of the images that they are being fetched for. */
  readonly #atWork = new Map<string, readonly Descriptor[]>();
  #told: WarmEvent[] = [];
  #count: number;
  #done = 0;
  #failed = 0;
  #hasToldOfRoom = false;

  constructor(options: WarmerOptions, wishes: WarmWishes, signal: AbortSignal) {
    const { catalog, store, filler, patience } = options;
    const { jobs, bandwidth } = wishes;
    this.#options = options;
    this.#wishes = wishes;
    this.#signal = signal;
    this.#count = wishes.images.length;
    this.#patience = new Patience(patience, (wait) => this.#told.push(wait), signal);
    this.#images = new Limit(jobs);
    this.#questions = new Limit(jobs);
    this.#blobs = new BlobFetches({
      catalog,
      store,
      filler,
      patience: this.#patience,
      jobs,
      bandwidth,
      signal,
    });
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
      at_work: [...this.#atWork].map(([image, blobs]) => ({
        image,
        bytes: blobs.reduce((sum, blob) => sum + ledger.cameOf(blob), 0),
        total: blobs.reduce((sum, { size }) => sum + size, 0),
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
    const names = await this.#images.run(() => this.#expand(wish));
    this.#count += names.length - 1;
    await Promise.all(names.map((name) => this.#images.run(() => this.#one(name, wish.platforms))));
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
    const list = (): ReturnType<typeof content.tags.list> => content.tags.list(route);
    const { tags } = await this.#patience.ask(route.remote.upstream, list);
    return tags;
  };

  async #one(text: string, platforms: Platforms): Promise<void> {
    let name = text;
    let followed: Followed | undefined;
    if (this.#signal.aborted) return;
    try {
      const target = findTarget(text, this.#options.table);
      ({ name } = target);
      const key = JSON.stringify([name, platforms]);
      if (this.#begun.has(key)) {
        // It was asked for twice.
        this.#count--;
        return;
      }
      this.#begun.add(key);
      const { route } = target;
      if (route.via === 'hosted') {
        const digest = await this.#options.hosted.digest(route, target.reference);
        this.#end({ image: name, result: 'present', digest, fetched_bytes: 0, fetched_blobs: 0 });
        return;
      }
      followed = await this.#follow(target, route, platforms);
      if (this.#wishes.pin && !this.#wishes.dryRun) {
        const pin: Pin = { repository: route.key, reference: target.reference };
        await this.#options.pin(pin);
      }
      this.#end({ image: name, ...(await this.#fill(name, route, followed)) });
    } catch (error) {
      this.#fail(name, followed?.digest, error);
    }
  }

  async #follow(
    { name, reference }: WarmTarget,
    route: ProxiedRoute,
    platforms: Platforms,
  ): Promise<Followed> {
    const { catalog, store, content } = this.#options;
    const questions = new RepositoryQuestions(
      {
        catalog,
        store,
        ...content,
        patience: this.#patience,
        limit: this.#questions,
        signal: this.#signal,
      },
      route,
    );
    const follower = new ImageFollower(questions);
    const root = await questions.manifest(reference);
    if (root.outcome.kind === 'stale' && root.outcome.detail !== 'UPSTREAM_OFFLINE') {
      this.#notice(
        `${name}: whether the tag has moved could not be found out (${root.outcome.detail ?? 'UNKNOWN'}); what is cached was taken`,
      );
    }
    await follower.follow(root, platforms);
    if (this.#wishes.referrers) await follower.followReferrers();
    if (follower.lacking.size > 0) {
      this.#notice(`${name}: the image has nothing for ${[...follower.lacking].join(', ')}`);
    }
    const blobs = [...follower.blobs.values()];
    const found = await this.#blobs.look(route, blobs);
    const { digest } = root;
    this.#told.push({
      kind: 'planned',
      image: name,
      digest,
      platforms: [...follower.platforms],
      blobs: blobs.length,
      bytes: blobs.reduce((sum, { size }) => sum + size, 0),
      present_blobs: found.stored.blobs,
      present_bytes: found.stored.bytes,
    });
    this.#tellOfRoom();
    return { digest, found, hasFetched: follower.hasFetched };
  }

  async #fill(
    name: string,
    route: ProxiedRoute,
    { digest, found, hasFetched }: Followed,
  ): Promise<Omit<ImageDone, 'kind' | 'image'>> {
    const { missing, unconfirmed, news } = found;
    if (this.#wishes.dryRun) {
      const result = missing.length > 0 ? 'planned' : 'present';
      return { result, digest, fetched_bytes: news.bytes, fetched_blobs: news.blobs };
    }
    const wanted = [...missing, ...unconfirmed];
    if (missing.length > 0) this.#atWork.set(name, missing);
    const ended = await Promise.allSettled(wanted.map((blob) => this.#blobs.fetch(route, blob)));
    this.#atWork.delete(name);
    const amounts = ended.map((each) => (each.status === 'fulfilled' ? each.value : undefined));
    const fetched = {
      digest,
      fetched_bytes: amounts.reduce((sum, amount) => sum + (amount?.bytes ?? 0), 0),
      fetched_blobs: amounts.reduce((sum, amount) => sum + (amount?.blobs ?? 0), 0),
    };
    const nth = ended.findIndex(({ status }) => status === 'rejected');
    const failure = ended[nth];
    if (failure?.status !== 'rejected') {
      const isWarm = hasFetched || wanted.length > 0;
      return { result: isWarm ? 'warmed' : 'present', ...fetched };
    }
    this.#signal.throwIfAborted();
    const error = toRegistryError(failure.reason);
    const message = `blob ${wanted[nth]?.digest ?? ''}: ${error.message}`;
    throw new FailedFetch(error.code, message, { cause: error }, fetched);
  }

  #tellOfRoom(): void {
    const { present, missing } = this.#blobs.ledger;
    const message = tooSmall(present.bytes + missing.bytes, this.#options.maxSize);
    if (message === undefined || this.#hasToldOfRoom) return;
    this.#hasToldOfRoom = true;
    this.#notice(message);
  }

  #notice(message: string): void {
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
