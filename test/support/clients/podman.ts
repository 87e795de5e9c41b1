import type { CommandResult } from '../command.ts';
import { ownNetwork, type Network } from '../network.ts';
import { ContainersStore } from './containers-store.ts';
import type { PullClient } from './pull-client.ts';

/** podman with a registries.conf that leads docker.io to Baleen. */
export class Podman implements PullClient {
  readonly #store: ContainersStore;
  #image = '';

  private constructor(store: ContainersStore) {
    this.#store = store;
  }

  /** @param registries the text of registries.conf */
  static async start(registries: string, network: Network = ownNetwork): Promise<Podman> {
    return new Podman(await ContainersStore.create(registries, network));
  }

  async podman(...args: readonly string[]): Promise<string> {
    return this.#store.run('podman', ...onPodman(this.#store), ...args);
  }

  /** The same to whatever end. */
  async tryPodman(...args: readonly string[]): Promise<CommandResult> {
    return this.#store.tryRun('podman', ...onPodman(this.#store), ...args);
  }

  async pull(repository: string, reference: string): Promise<string> {
    await this.#store.renew();
    this.#image = `docker.io/${repository}${reference}`;
    await this.podman('pull', '--quiet', this.#image);
    const format = '{{range .RepoDigests}}{{println .}}{{end}}';
    return this.podman('image', 'inspect', '--format', format, this.#image);
  }

  async output(): Promise<string> {
    return this.podman('run', '--rm', ...runLimits, this.#image);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}

/** What podman has to be told in any sandbox, before its command. */
export function onPodman(store: ContainersStore): string[] {
  const quiet = ['--cgroup-manager', 'cgroupfs', '--events-backend', 'none'];
  // crun, which podman prefers where it is there, runs nothing where both versions of cgroups are.
  return [...quiet, '--runtime', 'runc', '--tmpdir', store.path('tmp')];
}

/** For `podman run`: podman raises these limits as far as it can, which not every sandbox lets it. */
export const runLimits = '--network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024'.split(
  ' ',
);
