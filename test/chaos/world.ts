import { Baleen, type Settings } from '../support/baleen.ts';
import { provide } from '../support/debian.ts';
import { RedisServer } from '../support/redis-server.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { BlobWatch } from './blob-watch.ts';
import { Client } from './client.ts';
import { Conditions } from './conditions.ts';
import { chaosContent, type ChaosContent } from './content.ts';
import { FetchLedger } from './fetch-ledger.ts';
import { Tally } from './tally.ts';

/** Milliseconds after which an answer that has not ended counts as hanging. */
const patience = 60_000;

/** A line of the log that tells of a blob that came and was not kept: all that is stored was in use. */
const refused =
  /"(?:a download failed|a blob was served and verified but could not be stored)".*"digest":"(sha256:\w+)".*"code":"UNAVAILABLE"/;

const credentials = 'whale:plankton';

/** How a run is set up. */
export interface WorldOptions {
  readonly seed: number;
  /** Told of what could not be had here. */
  readonly note: (line: string) => void;
  /** The share of all images that the store may take; a quarter. */
  readonly share?: number;
}

/** Everything there is in one run: images, upstreams, Redis, a small disk, and Baleen among them. */
export class World implements AsyncDisposable {
  readonly content: ChaosContent;
  /** By their names in Baleen's configuration. */
  readonly upstreams: ReadonlyMap<string, ScriptedUpstream>;
  readonly redis: RedisServer | undefined;
  readonly disk: SmallDisk | TempDir;
  readonly baleen: Baleen;
  readonly watch: BlobWatch;
  readonly client: Client;
  readonly ledger: FetchLedger;
  readonly conditions = new Conditions();
  readonly tally = new Tally();
  /** Bytes that the store may take. */
  readonly maxSize: number;
  /** Baleen's configuration, with more settings for each upstream where some are given. */
  readonly settings: (extra?: Settings) => Settings;
  /** What is wrong, each kind with how often it was seen. */
  readonly findings = new Map<string, number>();
  /** Blobs of which an upstream has sent wrong bytes. */
  readonly spoilt = new Set<string>();
  /** Whether the process is meant to run just now. */
  isUp = true;
  readonly #resources: AsyncDisposableStack;

  private constructor(parts: Parts, resources: AsyncDisposableStack) {
    this.content = parts.content;
    this.upstreams = parts.upstreams;
    this.redis = parts.redis;
    this.disk = parts.disk;
    this.baleen = parts.baleen;
    this.maxSize = parts.maxSize;
    this.settings = parts.settings;
    this.watch = resources.use(new BlobWatch(parts.disk.path));
    this.ledger = new FetchLedger([...parts.upstreams.values()]);
    this.client = resources.adopt(new Client(parts.baleen.port, patience), (client) => {
      client.close();
    });
    this.#resources = resources;
  }

  static async create({ seed, note, share = 0.25 }: WorldOptions): Promise<World> {
    await using resources = new AsyncDisposableStack();
    const content = chaosContent(seed);
    const token = { credentials };
    const hub = resources.use(await ScriptedUpstream.start({ token, cdn: {} }));
    const github = resources.use(await ScriptedUpstream.start());
    const upstreams = new Map([
      ['docker.io', hub],
      ['ghcr.io', github],
    ]);
    for (const { upstream, repository, tag, versions } of content.tags) {
      // The first is added last, for it is the one that the tag names in the beginning.
      for (const image of versions.toReversed())
        upstreams.get(upstream)?.add(repository, tag, image);
    }
    const missing = await provide('redis-server');
    if (missing !== undefined) note(`without Redis: ${missing}`);
    const redis = missing === undefined ? resources.use(await RedisServer.start()) : undefined;
    const maxSize = Math.floor(content.bytes * share);
    const disk = resources.use(makeDisk(content.bytes, note));
    const settings = (extra = {}) => settingsOf(upstreams, redis, disk.path, maxSize, extra);
    const baleen = resources.use(await Baleen.prepare(settings()));
    const parts = { content, upstreams, redis, disk, baleen, maxSize, settings };
    const world = new World(parts, resources.move());
    try {
      await baleen.start();
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
    return world;
  }

  /** Notes something that must not be. */
  found(what: string): void {
    this.findings.set(what, (this.findings.get(what) ?? 0) + 1);
  }

  /** A process that is meant to run does. */
  inspectProcess(): void {
    const { exit } = this.baleen.process;
    if (!this.isUp || exit === undefined) return;
    this.isUp = false;
    this.found(
      `Baleen ended by itself with ${JSON.stringify(exit)}: ${this.baleen.process.tail(600)}`,
    );
  }

  /** What a process has printed tells of no failure that nobody caught. */
  inspectOutput(): void {
    const { stdout, stderr } = this.baleen.process;
    for (const line of `${stdout}\n${stderr}`.split('\n')) {
      if (/unhandled|uncaught|MaxListenersExceeded/i.test(line)) this.found(line.slice(0, 600));
      const [, digest] = refused.exec(line) ?? [];
      if (digest === undefined) continue;
      this.tally.add('blobs that found no room to stay');
      this.ledger.befell(digest);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

interface Parts {
  readonly content: ChaosContent;
  readonly upstreams: ReadonlyMap<string, ScriptedUpstream>;
  readonly redis: RedisServer | undefined;
  readonly disk: SmallDisk | TempDir;
  readonly baleen: Baleen;
  readonly maxSize: number;
  readonly settings: (extra?: Settings) => Settings;
}

/** A disk of Baleen's own that can be filled, or a folder where nothing may be mounted. */
function makeDisk(bytes: number, note: (line: string) => void): SmallDisk | TempDir {
  try {
    return new SmallDisk(Math.ceil((2 * bytes) / 2 ** 20));
  } catch {
    note('without a full disk: nothing may be mounted here');
    return tempDir('disk');
  }
}

/** Deadlines short enough that a run has many faults, and long enough for a busy machine. */
function settingsOf(
  upstreams: ReadonlyMap<string, ScriptedUpstream>,
  redis: RedisServer | undefined,
  directory: string,
  maxSize: number,
  extra: Settings,
): Settings {
  const [username, password] = credentials.split(':');
  const timeouts = {
    connect: '2s',
    headers: '3s',
    idle: '3s',
    token: '3s',
    revalidate: '500ms',
    resume: '8s',
  };
  const each = [...upstreams].map(([name, { url, tokens }]) => {
    const login = tokens === undefined ? {} : { credentials: { username, password } };
    const tag_ttl = { edge: '0s', default: '1s' };
    return [name, { url, timeouts, tag_ttl, negative_ttl: '0s', ...login, ...extra }];
  });
  return {
    server: { drain_timeout: '2s' },
    storage: { directory, max_size: maxSize },
    ...(redis && { catalog: { redis: { url: redis.url } } }),
    upstreams: Object.fromEntries(each) as object,
    default_upstream: 'docker.io',
    log: { level: 'warn', access: false },
  };
}
