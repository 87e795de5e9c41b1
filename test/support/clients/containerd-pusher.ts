import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandResult } from '../command.ts';
import { ociArchive } from '../image-archive.ts';
import type { RunnableImage } from '../runnable-image.ts';
import { tempDir, type TempDir } from '../temp-dir.ts';
import { Containerd } from './containerd.ts';
import type { PushClient, PushTarget } from './push-client.ts';

/** containerd by `ctr`, which is told the password with each push and pull. */
export class ContainerdPusher implements PushClient {
  readonly #containerd: Containerd;
  readonly #target: PushTarget;
  readonly #directory: TempDir;
  #user: readonly string[] = [];
  #image = '';
  #runs = 0;

  private constructor(containerd: Containerd, target: PushTarget, directory: TempDir) {
    this.#containerd = containerd;
    this.#target = target;
    this.#directory = directory;
  }

  static async start(target: PushTarget): Promise<ContainerdPusher> {
    const directory = tempDir('containerd-pusher');
    const { host, certificates } = target;
    if (certificates !== undefined) {
      // Without this containerd speaks plain HTTP to whatever is on loopback.
      const url = `https://${host}`;
      const authority = join(certificates, 'ca.crt');
      const hosts = `server = "${url}"\n[host."${url}"]\n  ca = "${authority}"\n`;
      await mkdir(join(directory.path, host));
      await writeFile(join(directory.path, host, 'hosts.toml'), hosts);
    }
    return new ContainerdPusher(await Containerd.start(), target, directory);
  }

  async login(username: string, password: string): Promise<CommandResult> {
    this.#user = ['--user', `${username}:${password}`];
    return Promise.resolve({ code: 0, stdout: '', stderr: '' });
  }

  async logout(): Promise<void> {
    this.#user = [];
    return Promise.resolve();
  }

  async hold(name: string, image: RunnableImage): Promise<void> {
    const file = join(this.#directory.path, 'image.tar');
    await writeFile(file, ociArchive(image, this.#full(name)));
    await this.#containerd.ctr('images', 'import', '--all-platforms', '--no-unpack', file);
  }

  async push(name: string): Promise<CommandResult> {
    return this.#containerd.tryCtr('images', 'push', ...this.#how(), this.#full(name));
  }

  async pull(name: string): Promise<CommandResult> {
    await this.#containerd.forgetImages();
    this.#image = this.#full(name);
    const how = ['--snapshotter', 'native', ...this.#how()];
    return this.#containerd.tryCtr('images', 'pull', ...how, this.#image);
  }

  async output(): Promise<string> {
    this.#runs += 1;
    const name = `pushed-${String(this.#runs)}`;
    return this.#containerd.ctr('run', '--rm', '--snapshotter', 'native', this.#image, name);
  }

  #full(name: string): string {
    return `${this.#target.host}/${name}`;
  }

  #how(): string[] {
    const { certificates } = this.#target;
    const trust =
      certificates === undefined ? ['--plain-http'] : ['--hosts-dir', this.#directory.path];
    return [...trust, ...this.#user];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#containerd[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }
}
