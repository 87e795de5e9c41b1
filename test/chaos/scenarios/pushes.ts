import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Baleen } from '../../support/baleen.ts';
import { DockerPusher, PushRefused } from '../../support/docker-pusher.ts';
import { get } from '../../support/http-get.ts';
import { imageOf, layerOf, type Content, type Image } from '../../support/images.ts';
import { Random } from '../../support/random.ts';
import { waitFor } from '../../support/wait-for.ts';
import { expectThat, type Figures, type Size } from './scenario.ts';

/** One who pushes one image. */
interface Push {
  readonly repository: string;
  readonly tag: string;
  readonly image: Image;
  /** Leaves when the blobs are there, and never pushes the manifest. */
  readonly givesUp: boolean;
  /** The server has said that the image is there. */
  isAcknowledged: boolean;
}

interface Play {
  readonly baleen: Baleen;
  readonly pushes: readonly Push[];
  readonly random: Random;
  /** Where each layer has been pushed to, as dockerd remembers it. */
  readonly known: Map<string, string>;
  /** Counts by name. */
  readonly figures: Record<string, number>;
}

const KiB = 1024;

/** What is different at full size. All times in milliseconds. */
const sizes = {
  /** The grace is so short that many a lease runs out while Baleen is down, and longer than a retry takes. */
  small: { count: 200, kills: 10, largest: 512 * KiB, grace: 3_000, patience: 240_000 },
  full: { count: 600, kills: 50, largest: 4_096 * KiB, grace: 20_000, patience: 1_800_000 },
} as const;

/**
 * Many push images that share layers, all at once, while Baleen is killed again and again and
 * collects garbage without a pause: what was acknowledged is there to the byte, what was not is
 * nowhere to be seen, and a last collection removes what nothing names, and nothing else.
 */
export async function pushes(size: Size, seed: number): Promise<Figures> {
  const { count, kills, grace, patience } = sizes[size];
  const random = new Random(seed);
  await using resources = new AsyncDisposableStack();
  const baleen = resources.use(await Baleen.start(settings(grace)));
  const play: Play = {
    baleen,
    pushes: imagesToPush(count, size, random),
    random,
    known: new Map(),
    figures: {
      'answers to pushes': 0,
      'pushes that were tried again': 0,
      'collections meanwhile': 0,
      'blobs collected meanwhile': 0,
    },
  };
  const calm = new AbortController();
  const collecting = collectAllTheTime(play, calm.signal);
  const killing = killNowAndThen(play, kills, calm.signal);
  try {
    await within(patience, Promise.all(play.pushes.map((push) => pushToTheEnd(play, push))));
  } finally {
    calm.abort();
  }
  await collecting;
  const killed = await killing;
  expectThat(killed === kills, 'all was pushed before it was killed so many times', killed);
  await inspectVisible(play);
  await inspectFiles(play);
  return {
    'images pushed at once': count,
    'killed and restarted': killed,
    ...play.figures,
  };
}

function settings(gcGrace: number, more: object = {}): Record<string, unknown> {
  return {
    upstreams: {},
    hosted: {
      repositories: ['**'],
      gc: { interval: 'off', grace: `${String(gcGrace)}ms` },
      ...more,
    },
    log: { level: 'warn' },
  };
}

/** Images in a few repositories, of a few layers that many of them have in common. */
function imagesToPush(count: number, size: Size, random: Random): Push[] {
  const { largest } = sizes[size];
  const shared = Array.from({ length: 40 }, (_, nth) =>
    layerOf(nth === 0 ? 0 : random.between(1, largest), nth + 1),
  );
  return Array.from({ length: count }, (_, nth) => {
    const base = shared.slice(0, random.between(1, 3));
    const own = Array.from({ length: random.between(1, 3) }, () => random.pick(shared));
    const layers = [...new Set([...base, ...own])];
    return {
      repository: `team${String(nth % 5)}/app${String(nth % 12)}`,
      tag: `v${String(nth)}`,
      image: imageOf({ architecture: 'amd64', os: 'linux', nth }, layers),
      givesUp: random.chance(0.1),
      isAcknowledged: false,
    };
  });
}

/** Tries until it is acknowledged, as people and pipelines do. */
async function pushToTheEnd(play: Play, push: Push): Promise<void> {
  const { baleen, known } = play;
  const { repository, tag, image } = push;
  using pusher = new DockerPusher({
    port: baleen.port,
    repository,
    knownIn: ({ digest }) => known.get(digest),
    onAnswer: () => add(play, 'answers to pushes', 1),
  });
  for (let attempt = 1; ; attempt += 1) {
    try {
      await pusher.blobs(image);
      if (push.givesUp) return;
      await pusher.manifest(tag, image.manifest);
      push.isAcknowledged = true;
      for (const { digest } of image.blobs) known.set(digest, repository);
      return;
    } catch (error) {
      if (!isPassing(error)) throw error;
      add(play, 'pushes that were tried again', 1);
      await sleep(100 * Math.min(attempt, 20));
    }
  }
}

/** What a client tries again after: a server that is gone or overburdened, and what was collected too early for it. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof PushRefused)) return false;
  const { status, body } = error;
  const isGone = /MANIFEST_BLOB_UNKNOWN|BLOB_UPLOAD_UNKNOWN/.test(body);
  return status === 0 || status === 503 || status === 429 || (status === 404 && isGone);
}

/** Kills it after so many answers, so that each time something has come further; gives how often. */
async function killNowAndThen(play: Play, kills: number, calm: AbortSignal): Promise<number> {
  const { baleen, random } = play;
  for (let killed = 0; killed < kills; killed += 1) {
    const moment = figure(play, 'answers to pushes') + random.between(60, 180);
    while (figure(play, 'answers to pushes') < moment) {
      if (calm.aborted) return killed;
      await sleep(2);
    }
    await baleen.kill();
    await baleen.start();
  }
  return kills;
}

async function collectAllTheTime(play: Play, calm: AbortSignal): Promise<void> {
  while (!calm.aborted) {
    // It may just be down.
    const report = await collect(play.baleen).catch(() => undefined);
    if (report !== undefined) {
      add(play, 'collections meanwhile', 1);
      add(play, 'blobs collected meanwhile', report.blobs);
    }
    await sleep(100);
  }
}

interface Collected {
  readonly manifests: readonly string[];
  readonly tags: readonly string[];
  readonly blobs: number;
  readonly bytes: number;
  readonly skipped: readonly string[];
}

async function collect({ operationsUrl }: Baleen): Promise<Collected> {
  const answer = await fetch(`${operationsUrl}/api/gc`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const document = (await answer.json()) as { hosted?: Collected };
  if (document.hosted === undefined) throw new Error(JSON.stringify(document));
  return document.hosted;
}

/** What clients see: each acknowledged image whole and right, and no tag but theirs. */
async function inspectVisible({ baleen, pushes: all }: Play): Promise<void> {
  const repositories = new Set(all.map(({ repository }) => repository));
  for (const repository of repositories) {
    const list = await get(`${baleen.url}/v2/${repository}/tags/list?n=10000`);
    const shown = (JSON.parse(list.text) as { tags: string[] }).tags.toSorted();
    const expected = all
      .filter((push) => push.repository === repository && push.isAcknowledged)
      .map(({ tag }) => tag)
      .toSorted();
    expectThat(String(shown) === String(expected), 'other tags than were acknowledged', {
      repository,
      shown,
      expected,
    });
  }
  for (const { repository, tag, image, isAcknowledged, givesUp } of all) {
    expectThat(isAcknowledged || givesUp, 'a push was never acknowledged', { repository, tag });
    if (!isAcknowledged) continue;
    await inspectContent(`${baleen.url}/v2/${repository}/manifests/${tag}`, image.manifest);
    for (const blob of image.blobs) {
      await inspectContent(`${baleen.url}/v2/${repository}/blobs/${blob.digest}`, blob);
    }
  }
}

async function inspectContent(url: string, { digest, bytes }: Content): Promise<void> {
  const got = await get(url);
  const isRight = got.status === 200 && got.complete && got.digest === digest;
  expectThat(isRight && got.received === bytes.length, 'an acknowledged image is not there', {
    url,
    status: got.status,
    body: got.status === 200 ? got.digest : got.text,
  });
}

/** What is on disk, when nobody pushes any more and nothing has a grace. */
async function inspectFiles(play: Play): Promise<void> {
  const { baleen, pushes: all } = play;
  await baleen.stop();
  baleen.configure(settings(0, { upload_ttl: '1s' }));
  const restartedAt = Date.now();
  await baleen.start();
  const root = join(baleen.dataDirectory, 'v1/hosted');
  const expected = new Set<string>();
  for (const { image, isAcknowledged } of all) {
    if (!isAcknowledged) continue;
    for (const { digest } of [image.manifest, ...image.blobs]) expected.add(digest);
  }
  const before = await blobFiles(root);
  const report = await collect(baleen);
  const after = await blobFiles(root);
  expectThat(report.skipped.length === 0, 'a repository could not be collected', report.skipped);
  const [missing, extra] = [difference(expected, after), difference(after, expected)];
  expectThat(missing.length === 0, 'the last collection removed what is needed', missing);
  expectThat(extra.length === 0, 'the last collection left garbage', extra);
  expectThat(report.blobs === before.size - after.size, 'it removed what it does not tell of');
  const again = await collect(baleen);
  expectThat(again.blobs + again.manifests.length === 0, 'it was not done the first time', again);
  await inspectVisible(play);
  add(play, 'files removed in the end', report.blobs);
  add(play, 'files left, all right', after.size);

  await inspectLeftovers(root, restartedAt);
}

/** Nothing is on its way any more, and what a killed process had half made is all that is left of it. */
async function inspectLeftovers(root: string, restartedAt: number): Promise<void> {
  const uploads = join(root, 'uploads');
  await waitFor('uploads that nobody goes on with to be removed', async () => {
    const sessions = await readdir(uploads, { recursive: true });
    return !sessions.some((name) => name.endsWith('session.json'));
  });
  for (const folder of [uploads, join(root, 'tmp')]) {
    for (const name of await readdir(folder)) {
      // Kept for some minutes: they might be another process's.
      const { ctimeMs } = await stat(join(folder, name));
      expectThat(ctimeMs < restartedAt, 'something was left on its way', { folder, name });
    }
  }
}

/** The digests of all files in the store, each of which holds what its name says. */
async function blobFiles(root: string): Promise<Set<string>> {
  const found = new Set<string>();
  const folder = join(root, 'blobs/sha256');
  for (const prefix of await readdir(folder)) {
    for (const name of await readdir(join(folder, prefix))) {
      const bytes = await readFile(join(folder, prefix, name));
      const actual = createHash('sha256').update(bytes).digest('hex');
      expectThat(actual === name, 'a file does not hold what its name says', { name, actual });
      found.add(`sha256:${name}`);
    }
  }
  return found;
}

function difference(one: ReadonlySet<string>, other: ReadonlySet<string>): string[] {
  return [...one].filter((each) => !other.has(each));
}

function figure({ figures }: Play, name: string): number {
  return figures[name] ?? 0;
}

function add(play: Play, name: string, count: number): void {
  play.figures[name] = figure(play, name) + count;
}

/** Fails where the work takes too long: for a broken Baleen, not to time a good one. */
async function within<T>(patience: number, work: Promise<T>): Promise<T> {
  const controller = new AbortController();
  const late = sleep(patience, undefined, { signal: controller.signal, ref: false }).then(() => {
    throw new Error('the pushes did not come to an end');
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    controller.abort();
  }
}
