import { digestOf, type Digest } from '../../src/oci/digest.ts';
import type { Content } from '../support/images.ts';
import type { Ask, Outcome } from './client.ts';
import type { MovingTag } from './content.ts';
import { judge, type Expectation } from './judge.ts';
import type { Random } from '../support/random.ts';
import type { World } from './world.ts';

/** Milliseconds for which a 401, 403 or full disk explains answers after its end. */
const grace = 10_000;

/** Blobs that a client pulls at once, as dockerd does. */
const parallel = 3;

const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

interface Document {
  readonly manifests?: readonly { readonly digest: Digest }[];
  readonly config?: { readonly digest: Digest };
  readonly layers?: readonly { readonly digest: Digest }[];
}

/** Pulls whole images as clients do, and holds every answer against what it has to be. */
export class Puller {
  readonly #world: World;
  readonly #random: Random;
  /** Whether it also asks for parts, sends HEAD, and leaves half-way, as all kinds of clients do. */
  readonly #isWhimsical: boolean;

  constructor(world: World, random: Random, { whimsical = true } = {}) {
    this.#world = world;
    this.#random = random;
    this.#isWhimsical = whimsical;
  }

  /** Pulls by tag, or an older version by its digest; whether all of it came. */
  async pullAny(): Promise<boolean> {
    const { content } = this.#world;
    const tag = this.#random.pick(content.tags);
    if (this.#random.chance(0.6)) return this.pullTag(tag);
    return this.pullDigest(tag, this.#random.pick(tag.versions).manifest.digest);
  }

  /** Pulls what a tag names: any version that it has named, for caches may lag. */
  async pullTag(tag: MovingTag, named = tag.named): Promise<boolean> {
    const digests = (): Set<string> => new Set(named.map(({ manifest }) => manifest.digest));
    return this.#pull(tag, tag.tag, digests);
  }

  async pullDigest(tag: MovingTag, digest: Digest): Promise<boolean> {
    return this.#pull(tag, digest, () => new Set([digest]));
  }

  /** Asks for some blob and leaves at its first bytes. */
  async leave(): Promise<void> {
    const tag = this.#random.pick(this.#world.content.tags);
    const blob = this.#random.pick(this.#random.pick(tag.versions).blobs);
    const path = `/v2/${tag.upstream}/${tag.repository}/blobs/${blob.digest}`;
    const abortAfter = this.#random.between(1, 20_000);
    await this.#ask({ method: 'GET', path, abortAfter }, () => ({
      digests: new Set([blob.digest]),
      size: blob.bytes.length,
    }));
  }

  async #pull(tag: MovingTag, reference: string, digests: () => Set<string>): Promise<boolean> {
    const { tally } = this.#world;
    const path = `/v2/${tag.upstream}/${tag.repository}`;
    const document = await this.#manifest(`${path}/manifests/${reference}`, digests);
    tally.add('pulls');
    if (document === undefined) return false;
    const children = document.manifests ?? [];
    const images = await Promise.all(
      children.map(({ digest }) =>
        this.#manifest(`${path}/manifests/${digest}`, () => new Set([digest])),
      ),
    );
    const blobs = [document, ...images].flatMap((each) =>
      [each?.config, ...(each?.layers ?? [])].filter((blob) => blob !== undefined),
    );
    const left = [...new Set(blobs.map(({ digest }) => digest))];
    let isWhole = images.every((image) => image !== undefined);
    const worker = async (): Promise<void> => {
      for (let digest = left.pop(); digest !== undefined; digest = left.pop()) {
        // One after the other: that is what a worker is.
        isWhole = (await this.#blob(path, digest)) && isWhole;
      }
    };
    await Promise.all(Array.from({ length: parallel }, worker));
    if (isWhole) tally.add('pulls, complete');
    return isWhole;
  }

  async #manifest(path: string, digests: () => Set<string>): Promise<Document | undefined> {
    const headers = { accept };
    if (this.#isWhimsical && this.#random.chance(0.3)) {
      await this.#ask({ method: 'HEAD', path, headers }, () => ({ digests: digests() }));
    }
    const outcome = await this.#ask({ method: 'GET', path, headers }, () => ({
      digests: digests(),
    }));
    if (outcome.status !== 200 || !outcome.complete) return undefined;
    return JSON.parse(outcome.head.toString()) as Document;
  }

  async #blob(path: string, digest: Digest): Promise<boolean> {
    const blob = this.#world.content.blobs.get(digest);
    if (blob === undefined) throw new Error(`an image names the blob ${digest}, which nobody made`);
    const size = blob.bytes.length;
    const expected = { digests: new Set([digest]), size };
    const ask: Ask = { method: 'GET', path: `${path}/blobs/${digest}` };
    const whim = this.#isWhimsical ? this.#random.next() : 1;
    if (whim < 0.1) await this.#ask({ ...ask, method: 'HEAD' }, () => expected);
    else if (whim < 0.2) return this.#parts(ask, blob);
    else if (whim < 0.25) {
      await this.#ask({ ...ask, abortAfter: this.#random.between(1, size) }, () => expected);
    }
    const { status, complete } = await this.#ask(ask, () => expected);
    return status === 200 && complete;
  }

  /** In two or three parts, as containerd's parallel fetch does. */
  async #parts(ask: Ask, { digest, bytes }: Content): Promise<boolean> {
    const step = Math.max(1, Math.ceil(bytes.length / this.#random.between(2, 3)));
    const starts = Array.from({ length: Math.ceil(bytes.length / step) }, (_, nth) => nth * step);
    const outcomes = await Promise.all(
      starts.map((start) => {
        const end = Math.min(start + step, bytes.length);
        const part = digestOf(bytes.subarray(start, end));
        const headers = { range: `bytes=${String(start)}-${String(end - 1)}` };
        const size = bytes.length;
        return this.#ask({ ...ask, headers }, () => {
          const isSpoilt = this.#world.spoilt.has(digest);
          return { digests: new Set([digest]), size, part, isSpoilt };
        });
      }),
    );
    return outcomes.every(({ status, complete }) => complete && status < 300);
  }

  async #ask(ask: Ask, expected: () => Expectation): Promise<Outcome> {
    const { client, conditions, tally } = this.#world;
    const outcome = await client.send(ask);
    // A tag may have moved while it was asked for.
    const wrong = judge(outcome, expected(), (condition) =>
      conditions.heldSince(condition, outcome.began, condition === 'down' ? 0 : grace),
    );
    if (wrong !== undefined) {
      this.#world.found(`${ask.method} ${ask.path.slice(0, 120)} ${wrong}`);
    }
    tally.add('requests');
    tally.add('bytes received', outcome.received);
    if (outcome.aborted) tally.add('requests, aborted by their client');
    else if (outcome.status === 0) tally.add('requests without an answer: Baleen down');
    else if (outcome.status >= 400) tally.add(`requests answered ${String(outcome.status)}`);
    else tally.add(outcome.complete ? 'requests, complete' : 'requests, broken off');
    return outcome;
  }
}
