import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command, tryCommand, type CommandResult } from '../command.ts';
import { ownNetwork, type Network } from '../network.ts';
import { tempDir, type TempDir } from '../temp-dir.ts';

/**
 * What podman, buildah and skopeo share (containers/image, containers/storage): a store, and a
 * registries.conf.
 */
export class ContainersStore implements AsyncDisposable {
  readonly #directory: TempDir;
  readonly #network: Network;
  #stores = 0;

  private constructor(directory: TempDir, network: Network) {
    this.#directory = directory;
    this.#network = network;
  }

  /** @param registries the text of registries.conf */
  static async create(registries: string, network = ownNetwork): Promise<ContainersStore> {
    const directory = tempDir('store');
    await writeFile(join(directory.path, 'registries.conf'), registries);
    const policy = '{"default":[{"type":"insecureAcceptAnything"}]}';
    await writeFile(join(directory.path, 'policy.json'), policy);
    await writeFile(join(directory.path, 'credentials.json'), '{}');
    return new ContainersStore(directory, network);
  }

  /** Throws the store away and begins an empty one. */
  async renew(): Promise<void> {
    // podman tidies up behind a container that has ended, and may still be at it.
    await rm(this.path(), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    this.#stores += 1;
  }

  /** A path within the present store; short, for podman takes no run root of more than 50 characters. */
  path(name = ''): string {
    return join(this.#directory.path, String(this.#stores), name);
  }

  get policy(): string {
    return join(this.#directory.path, 'policy.json');
  }

  /** Runs podman or buildah on the present store. */
  async run(program: string, ...args: readonly string[]): Promise<string> {
    return this.bare(program, ...this.#onto(args));
  }

  /** The same to whatever end. */
  async tryRun(program: string, ...args: readonly string[]): Promise<CommandResult> {
    return this.tryBare(program, ...this.#onto(args));
  }

  /** Runs a program that has no store of its own. */
  async bare(program: string, ...args: readonly string[]): Promise<string> {
    return command(...this.#network.enter(program, args), this.#environment());
  }

  /** The same to whatever end. */
  async tryBare(program: string, ...args: readonly string[]): Promise<CommandResult> {
    return tryCommand(...this.#network.enter(program, args), this.#environment());
  }

  #onto(args: readonly string[]): string[] {
    const store = ['--root', this.path('root'), '--runroot', this.path('run')];
    return [...store, '--storage-driver', 'vfs', ...args];
  }

  #environment(): { env: Record<string, string> } {
    return {
      env: {
        CONTAINERS_REGISTRIES_CONF: join(this.#directory.path, 'registries.conf'),
        REGISTRY_AUTH_FILE: join(this.#directory.path, 'credentials.json'),
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#directory[Symbol.asyncDispose]();
  }
}
