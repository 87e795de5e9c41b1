import { mkdir, writeFile } from 'node:fs/promises';
import type { CommandResult } from '../command.ts';
import { ociArchive } from '../image-archive.ts';
import type { RunnableImage } from '../runnable-image.ts';
import { ContainersStore } from './containers-store.ts';
import type { PushClient, PushTarget } from './push-client.ts';
import { digestsIn } from './skopeo.ts';

/** skopeo, which copies whole images, all platforms, out of an OCI archive and back. */
export class SkopeoPusher implements PushClient {
  readonly #store: ContainersStore;
  readonly #target: PushTarget;

  private constructor(store: ContainersStore, target: PushTarget) {
    this.#store = store;
    this.#target = target;
  }

  static async start(target: PushTarget): Promise<SkopeoPusher> {
    const pusher = new SkopeoPusher(await ContainersStore.create(''), target);
    await pusher.#renew();
    return pusher;
  }

  async login(username: string, password: string): Promise<CommandResult> {
    const who = ['--username', username, '--password', password];
    const { certificates, host } = this.#target;
    const trust =
      certificates === undefined ? ['--tls-verify=false'] : ['--cert-dir', certificates];
    return this.#skopeo('login', ...trust, ...who, host);
  }

  async logout(): Promise<void> {
    await this.#skopeo('logout', this.#target.host);
  }

  async hold(name: string, image: RunnableImage): Promise<void> {
    await writeFile(this.#archive(name), ociArchive(image, `${this.#target.host}/${name}`));
  }

  async push(name: string): Promise<CommandResult> {
    const from = `oci-archive:${this.#archive(name)}`;
    return this.#copy('dest', from, `docker://${this.#target.host}/${name}`);
  }

  async pull(name: string): Promise<CommandResult> {
    await this.#renew();
    const to = `dir:${this.#store.path('pulled')}`;
    return this.#copy('src', `docker://${this.#target.host}/${name}`, to);
  }

  /** The digests of everything that was copied, computed anew. */
  async output(): Promise<string> {
    return digestsIn(this.#store.path('pulled'));
  }

  #archive(name: string): string {
    return this.#store.path(`${name.replaceAll(/[/:]/g, '-')}.tar`);
  }

  async #copy(registry: 'src' | 'dest', from: string, to: string): Promise<CommandResult> {
    const { certificates } = this.#target;
    const trust =
      certificates === undefined
        ? [`--${registry}-tls-verify=false`]
        : [`--${registry}-cert-dir`, certificates];
    // Where it may change nothing, skopeo hides why a registry refuses an index.
    const preserve = registry === 'src' ? ['--preserve-digests'] : [];
    const how = ['--all', ...preserve, '--quiet', ...trust];
    return this.#skopeo('--policy', this.#store.policy, 'copy', ...how, from, to);
  }

  async #skopeo(...args: readonly string[]): Promise<CommandResult> {
    return this.#store.tryBare('skopeo', ...args);
  }

  async #renew(): Promise<void> {
    await this.#store.renew();
    await mkdir(this.#store.path(), { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
