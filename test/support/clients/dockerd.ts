import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from '../child.ts';
import { command, tryCommand, type CommandResult } from '../command.ts';
import { ownNetwork, type Network } from '../network.ts';
import { tempDir, type TempDir } from '../temp-dir.ts';
import type { PullClient } from './pull-client.ts';

/** A Docker daemon of its own, which can have Baleen as its mirror of Docker Hub. */
export class Dockerd implements PullClient {
  readonly #directory: TempDir;
  readonly #daemon: Child;
  #image = '';

  private constructor(directory: TempDir, daemon: Child) {
    this.#directory = directory;
    this.#daemon = daemon;
  }

  /** @param mirror such as `http://127.0.0.1:5000` */
  static async start(mirror?: string, network: Network = ownNetwork): Promise<Dockerd> {
    const directory = tempDir('dockerd');
    const at = (name: string): string => join(directory.path, name);
    await writeFile(at('daemon.json'), '{}');
    const args = [
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
      ...(mirror === undefined ? [] : ['--registry-mirror', mirror]),
    ];
    const daemon = new Child(...network.enter('dockerd', args));
    const dockerd = new Dockerd(directory, daemon);
    await daemon.until('answers', () => dockerd.docker('version'), 60_000);
    return dockerd;
  }

  /** What the daemon has logged. */
  get log(): string {
    return this.#daemon.stderr;
  }

  /** Puts down credentials as `docker login` does; asks nobody whether they are right. */
  async remember(server: string, username: string, password: string): Promise<void> {
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    const config = JSON.stringify({ auths: { [server]: { auth } } });
    await writeFile(join(this.#directory.path, 'config.json'), config);
  }

  /** Runs docker on this daemon; it has to succeed. */
  async docker(...args: readonly string[]): Promise<string> {
    return command('docker', this.#onto(args), this.#environment());
  }

  /** Runs docker on this daemon, to whatever end. */
  async tryDocker(...args: readonly string[]): Promise<CommandResult> {
    return tryCommand('docker', this.#onto(args), this.#environment());
  }

  #onto(args: readonly string[]): string[] {
    return ['-H', `unix://${join(this.#directory.path, 'docker.sock')}`, ...args];
  }

  #environment(): { env: Record<string, string | undefined> } {
    const { path } = this.#directory;
    return { env: { DOCKER_CONFIG: path, DOCKER_HOST: undefined, DOCKER_CONTEXT: undefined } };
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
