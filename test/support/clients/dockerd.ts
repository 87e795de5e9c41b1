import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from '../child.ts';
import { command } from '../command.ts';
import { tempDir, type TempDir } from '../temp-dir.ts';
import type { PullClient } from './pull-client.ts';

/** A Docker daemon of its own that has Baleen as its mirror of Docker Hub. */
export class Dockerd implements PullClient {
  readonly #directory: TempDir;
  readonly #daemon: Child;
  #image = '';

  private constructor(directory: TempDir, daemon: Child) {
    this.#directory = directory;
    this.#daemon = daemon;
  }

  /** @param mirror such as `http://127.0.0.1:5000` */
  static async start(mirror: string): Promise<Dockerd> {
    const directory = tempDir('dockerd');
    const at = (name: string): string => join(directory.path, name);
    await writeFile(at('daemon.json'), '{}');
    const daemon = new Child('dockerd', [
      '--config-file',
      at('daemon.json'),
      '--host',
      `unix://${at('docker.sock')}`,
      '--data-root',
      at('data'),
      '--exec-root',
      at('exec'),
      '--pidfile',
      at('pid'),
      '--iptables=false',
      '--ip6tables=false',
      '--bridge=none',
      '--storage-driver=vfs',
      '--registry-mirror',
      mirror,
    ]);
    const dockerd = new Dockerd(directory, daemon);
    await daemon.until('answers', () => dockerd.docker('version'), 60_000);
    return dockerd;
  }

  async docker(...args: readonly string[]): Promise<string> {
    const { path } = this.#directory;
    return command('docker', ['-H', `unix://${join(path, 'docker.sock')}`, ...args], {
      env: { DOCKER_CONFIG: path, DOCKER_HOST: undefined, DOCKER_CONTEXT: undefined },
    });
  }

  async pull(repository: string, reference: string): Promise<string> {
    await this.docker('system', 'prune', '--all', '--force');
    this.#image = `${repository}${reference}`;
    const printed = await this.docker('pull', this.#image);
    return /^Digest: (\S+)$/m.exec(printed)?.[1] ?? printed;
  }

  async output(): Promise<string> {
    return this.docker('run', '--rm', '--network', 'none', this.#image);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon.stop(20_000);
    await this.#directory[Symbol.asyncDispose]();
  }
}
