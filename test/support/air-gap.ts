import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Baleen } from './baleen.ts';
import { ContainersStore } from './clients/containers-store.ts';
import { command, type CommandResult } from './command.ts';
import { DockerRegistry } from './docker-registry.ts';
import { ociArchive } from './image-archive.ts';
import { artifactOf, type Content, type Image } from './images.ts';
import { IsolatedNetwork } from './network.ts';
import { push } from './push.ts';
import { runnableImage } from './runnable-image.ts';
import { tempDir, type TempDir } from './temp-dir.ts';

/**
 * The two sides of an air gap. On the connected one a Baleen before real registries: docker.io is
 * Debian's docker-registry, ghcr.io the hosted part of another Baleen, which has a referrers API. On the
 * offline one a Baleen and its clients in a network from which no route leads anywhere.
 */
export class AirGap implements AsyncDisposable {
  readonly web = runnableImage(81);
  readonly db = runnableImage(82, 'docker');
  readonly app = runnableImage(83);
  readonly later = runnableImage(84);
  readonly signature = artifactOf(
    this.app.manifest,
    'application/x-signature',
    'signed by a whale',
  );
  readonly countersignature = artifactOf(
    this.signature.manifest,
    'application/x-signature',
    'so it was',
  );
  /** As cosign keeps it in a registry without a referrers API: under a tag that names its subject. */
  readonly seal = artifactOf(this.db.manifest, 'application/x-seal', 'sealed');
  readonly sealTag = `${this.db.manifest.digest.replace(':', '-')}.sig`;
  readonly connected: Baleen;
  readonly offline: Baleen;
  readonly network: IsolatedNetwork;
  readonly #directory: TempDir;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<AirGap, 'connected' | 'offline' | 'network'>,
    directory: TempDir,
    stack: AsyncDisposableStack,
  ) {
    this.connected = parts.connected;
    this.offline = parts.offline;
    this.network = parts.network;
    this.#directory = directory;
    this.#stack = stack;
  }

  static async start(): Promise<AirGap> {
    await using stack = new AsyncDisposableStack();
    const directory = stack.use(tempDir('air-gap'));
    const hub = stack.use(await DockerRegistry.start());
    const ghcr = stack.use(await Baleen.start({ upstreams: {}, hosted: { repositories: ['**'] } }));
    const { username, password } = hub;
    const connected = stack.use(
      await Baleen.start({
        upstreams: {
          'docker.io': { url: hub.url, credentials: { username, password } },
          'ghcr.io': { url: ghcr.url },
        },
        default_upstream: 'docker.io',
      }),
    );
    const network = stack.use(await IsolatedNetwork.create());
    const offline = stack.use(
      await Baleen.prepare({
        offline: true,
        upstreams: {
          'docker.io': { url: 'https://registry-1.docker.io' },
          'ghcr.io': { url: 'https://ghcr.io' },
        },
        default_upstream: 'docker.io',
      }),
    );
    offline.network = network;
    await offline.start();
    const gap = new AirGap({ connected, offline, network }, directory, stack.move());
    await gap.#fill(hub, ghcr);
    return gap;
  }

  /** A path for what is carried. */
  path(name: string): string {
    return join(this.#directory.path, name);
  }

  /** Runs a command of Baleen, which has to succeed, and gives what it printed. */
  async run(side: 'connected' | 'offline', ...args: readonly string[]): Promise<string> {
    const result = await this.try(side, ...args);
    if (result.code === 0) return result.stdout;
    const { code, stdout, stderr } = result;
    throw new Error(`baleen ${args.join(' ')}\nended with ${String(code)}\n${stdout}\n${stderr}`);
  }

  /** The same to whatever end. */
  async try(side: 'connected' | 'offline', ...args: readonly string[]): Promise<CommandResult> {
    return this[side].command(...args);
  }

  /** `GET` of the offline Baleen's registry API, as a client there would do it. */
  async get(path: string, ...options: readonly string[]): Promise<string> {
    const args = ['-s', '-S', ...options, `${this.offline.url}/v2/${path}`];
    return command(...this.network.enter('curl', args));
  }

  /** The names of all files in a bundle. */
  async list(bundle: string): Promise<string[]> {
    const listed = await command('tar', ['-tf', this.path(bundle)]);
    return listed.split('\n').filter(Boolean);
  }

  async #fill(hub: DockerRegistry, ghcr: Baleen): Promise<void> {
    await this.#copy(this.web, hub.host, 'library/web:1.0', hub.credentials);
    await this.#copy(this.later, hub.host, 'library/later:1.0', hub.credentials);
    await hub.push('library/db', '2', this.db);
    await hub.push('library/db', this.sealTag, this.seal);
    await this.#copy(this.app, ghcr.host, 'org/app:1.0', 'nobody:in particular');
    for (const each of [this.signature, this.countersignature]) {
      await push({ url: ghcr.url }, 'org/app', each.manifest.digest, each);
    }
  }

  /** Pushes an image with skopeo, all platforms of it. */
  async #copy(image: Image, host: string, name: string, credentials: string): Promise<void> {
    await using store = await ContainersStore.create('');
    const archive = this.path(`${name.replaceAll(/[/:]/g, '-')}.tar`);
    await writeFile(archive, ociArchive(image, `${host}/${name}`));
    const to = ['--dest-tls-verify=false', '--dest-creds', credentials];
    const policy = ['--policy', store.policy];
    const args = [...policy, 'copy', '--all', '--quiet', ...to];
    await store.bare('skopeo', ...args, `oci-archive:${archive}`, `docker://${host}/${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await this.#directory[Symbol.asyncDispose]();
  }
}

/** The file of some content in a bundle. */
export function fileOf({ digest }: Pick<Content, 'digest'>): string {
  return `blobs/${digest.replace(':', '/')}`;
}
