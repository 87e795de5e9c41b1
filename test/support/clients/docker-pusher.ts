import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandResult } from '../command.ts';
import { dockerArchive } from '../image-archive.ts';
import type { RunnableImage } from '../runnable-image.ts';
import { tempDir, type TempDir } from '../temp-dir.ts';
import { Dockerd } from './dockerd.ts';
import type { PushClient, PushTarget } from './push-client.ts';

/**
 * docker with a daemon of its own. A registry on loopback needs no trust: the daemon tries TLS
 * without looking at the certificate, then plain HTTP.
 */
export class DockerPusher implements PushClient {
  readonly #dockerd: Dockerd;
  readonly #directory: TempDir;
  readonly #host: string;
  #image = '';

  private constructor(dockerd: Dockerd, directory: TempDir, host: string) {
    this.#dockerd = dockerd;
    this.#directory = directory;
    this.#host = host;
  }

  static async start({ host }: PushTarget): Promise<DockerPusher> {
    return new DockerPusher(await Dockerd.start(), tempDir('docker-pusher'), host);
  }

  async docker(...args: readonly string[]): Promise<CommandResult> {
    return this.#dockerd.tryDocker(...args);
  }

  async login(username: string, password: string): Promise<CommandResult> {
    return this.docker('login', '--username', username, '--password', password, this.#host);
  }

  async logout(): Promise<void> {
    await this.#dockerd.docker('logout', this.#host);
  }

  async hold(name: string, image: RunnableImage): Promise<void> {
    const file = join(this.#directory.path, 'image.tar');
    await writeFile(file, dockerArchive(image, `${this.#host}/${name}`));
    await this.#dockerd.docker('load', '--quiet', '--input', file);
  }

  async push(name: string): Promise<CommandResult> {
    return this.docker('push', `${this.#host}/${name}`);
  }

  async pull(name: string): Promise<CommandResult> {
    await this.#dockerd.docker('system', 'prune', '--all', '--force');
    this.#image = `${this.#host}/${name}`;
    return this.docker('pull', this.#image);
  }

  async output(): Promise<string> {
    return this.#dockerd.docker('run', '--rm', '--network', 'none', this.#image);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dockerd[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }
}
