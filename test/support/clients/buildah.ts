import { ContainersStore } from './containers-store.ts';
import type { PullClient } from './pull-client.ts';

/** buildah with a registries.conf that leads docker.io to Baleen. */
export class Buildah implements PullClient {
  readonly #store: ContainersStore;
  #container = '';

  private constructor(store: ContainersStore) {
    this.#store = store;
  }

  /** @param registries the text of registries.conf */
  static async start(registries: string): Promise<Buildah> {
    return new Buildah(await ContainersStore.create(registries));
  }

  async buildah(...args: readonly string[]): Promise<string> {
    return this.#store.run('buildah', ...args);
  }

  async pull(repository: string, reference: string): Promise<string> {
    await this.#store.renew();
    const image = `docker.io/${repository}${reference}`;
    const policy = ['--signature-policy', this.#store.policy];
    const from = await this.buildah('from', ...policy, '--pull-always', '--quiet', image);
    this.#container = from.trim();
    return this.buildah('images', '--digests', '--format', '{{.Digest}}');
  }

  async output(): Promise<string> {
    return this.buildah('run', '--isolation', 'chroot', this.#container, '/hello');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
