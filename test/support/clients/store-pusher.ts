import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandResult } from '../command.ts';
import { dockerArchive } from '../image-archive.ts';
import type { RunnableImage } from '../runnable-image.ts';
import { tempDir, type TempDir } from '../temp-dir.ts';
import { ContainersStore } from './containers-store.ts';
import type { PushClient, PushTarget } from './push-client.ts';

/** What podman and buildah have in common as clients that push. */
export abstract class StorePusher implements PushClient {
  protected readonly store: ContainersStore;
  readonly #directory: TempDir = tempDir('pusher');
  readonly #target: PushTarget;

  protected constructor(store: ContainersStore, target: PushTarget) {
    this.store = store;
    this.#target = target;
  }

  /** Runs the client on its store. */
  protected abstract run(...args: readonly string[]): Promise<CommandResult>;

  abstract output(): Promise<string>;

  abstract pull(name: string): Promise<CommandResult>;

  async login(username: string, password: string): Promise<CommandResult> {
    const who = ['--username', username, '--password', password];
    return this.run('login', ...this.trust(), ...who, this.#target.host);
  }

  async logout(): Promise<void> {
    await this.run('logout', this.#target.host);
  }

  async hold(name: string, image: RunnableImage): Promise<void> {
    const file = join(this.#directory.path, 'image.tar');
    await writeFile(file, dockerArchive(image, this.full(name)));
    const { code, stderr } = await this.run('pull', '--quiet', `docker-archive:${file}`);
    if (code !== 0) throw new Error(stderr);
  }

  async push(name: string): Promise<CommandResult> {
    return this.run('push', ...this.trust(), this.full(name), `docker://${this.full(name)}`);
  }

  /** An image's name with the registry's. */
  protected full(name: string): string {
    return `${this.#target.host}/${name}`;
  }

  /** Plain HTTP, or TLS by the registry's own authority. */
  protected trust(): string[] {
    const { certificates } = this.#target;
    return certificates === undefined
      ? ['--tls-verify=false']
      : ['--tls-verify=true', '--cert-dir', certificates];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }
}
