import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from '../child.ts';
import { command, tryCommand, type CommandResult } from '../command.ts';
import { ownNetwork, type Network } from '../network.ts';
import { tempDir, type TempDir } from '../temp-dir.ts';
import type { PullClient } from './pull-client.ts';

/** An address where nobody listens. */
const nobody = 'http://127.0.0.1:9';

export interface ContainerdOptions {
  readonly network?: Network;
  /** Those that the mirror stands in for. */
  readonly registries?: readonly string[];
  /** The server of last resort. Where it is nobody, all has to come from the mirror. */
  readonly server?: string;
}

/** A containerd of its own whose hosts.toml can send docker.io to Baleen, `?ns=docker.io` and all. */
export class Containerd implements PullClient {
  readonly #directory: TempDir;
  readonly #daemon: Child;
  readonly #network: Network;
  #image = '';
  #runs = 0;

  private constructor(directory: TempDir, daemon: Child, network: Network) {
    this.#directory = directory;
    this.#daemon = daemon;
    this.#network = network;
  }

  /** @param mirror such as `http://127.0.0.1:5000` */
  static async start(
    mirror = nobody,
    { network = ownNetwork, registries = ['docker.io'], server = nobody }: ContainerdOptions = {},
  ): Promise<Containerd> {
    const directory = tempDir('containerd');
    const at = (name: string): string => join(directory.path, name);
    const hosts = `server = "${server}"\n[host."${mirror}"]\n  capabilities = ["pull", "resolve"]\n`;
    for (const registry of registries) {
      await mkdir(at(`hosts/${registry}`), { recursive: true });
      await writeFile(at(`hosts/${registry}/hosts.toml`), hosts);
    }
    const config = `version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n`;
    await writeFile(at('config.toml'), config);
    const args = [
      '--config',
      at('config.toml'),
      '--address',
      at('containerd.sock'),
      '--root',
      at('root'),
      '--state',
      at('state'),
      '--log-level',
      'warn',
    ];
    const daemon = new Child(...network.enter('containerd', args));
    const containerd = new Containerd(directory, daemon, network);
    await daemon.until('answers', () => containerd.ctr('version'), 60_000);
    return containerd;
  }

  /** Runs ctr on this containerd; it has to succeed. */
  async ctr(...args: readonly string[]): Promise<string> {
    return command(...this.#onto(args));
  }

  /** Runs ctr on this containerd, to whatever end. */
  async tryCtr(...args: readonly string[]): Promise<CommandResult> {
    return tryCommand(...this.#onto(args));
  }

  /** ctr fetches images itself. */
  #onto(args: readonly string[]): readonly [string, readonly string[]] {
    const socket = join(this.#directory.path, 'containerd.sock');
    return this.#network.enter('ctr', ['--address', socket, ...args]);
  }

  /** Of `ctr images pull`: where it finds the mirror, and how it unpacks. */
  get pullOptions(): string[] {
    return ['--snapshotter', 'native', '--hosts-dir', join(this.#directory.path, 'hosts')];
  }

  /** Removes every image, and what only they held. */
  async forgetImages(): Promise<void> {
    const present = await this.ctr('images', 'ls', '--quiet');
    for (const image of present.split('\n').filter(Boolean)) {
      await this.ctr('images', 'rm', '--sync', image);
    }
  }

  async pull(repository: string, reference: string): Promise<string> {
    await this.forgetImages();
    this.#image = `docker.io/${repository}${reference}`;
    await this.ctr('images', 'pull', ...this.pullOptions, this.#image);
    const listed = await this.ctr('images', 'ls', `name==${this.#image}`);
    return /\bsha256:[0-9a-f]{64}\b/.exec(listed.split('\n')[1] ?? '')?.[0] ?? listed;
  }

  async output(): Promise<string> {
    this.#runs += 1;
    const name = `run-${String(this.#runs)}`;
    return this.ctr('run', '--rm', '--snapshotter', 'native', this.#image, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon.stop();
    await this.#directory[Symbol.asyncDispose]();
  }
}
