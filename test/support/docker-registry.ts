import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Child } from './child.ts';
import { command } from './command.ts';
import { CountingProxy } from './counting-proxy.ts';
import type { Image } from './images.ts';
import { freePort } from './ports.ts';
import { push } from './push.ts';
import { tempDir, type TempDir } from './temp-dir.ts';

/**
 * Debian's docker-registry (CNCF distribution 2.8.2) on loopback, behind Basic authentication:
 * a real upstream. A counting proxy stands before it.
 */
export class DockerRegistry implements AsyncDisposable {
  readonly username = 'whale';
  readonly password = 'krill and plankton';
  /** What was asked of the registry. */
  readonly traffic: CountingProxy;
  readonly #port: number;
  readonly #directory: TempDir;
  #child: Child | undefined;

  private constructor(directory: TempDir, port: number, traffic: CountingProxy) {
    this.#directory = directory;
    this.#port = port;
    this.traffic = traffic;
  }

  static async start(): Promise<DockerRegistry> {
    const directory = tempDir('docker-registry');
    const port = await freePort();
    const registry = new DockerRegistry(directory, port, new CountingProxy(await freePort(), port));
    await registry.#configure();
    await registry.start();
    return registry;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  /** `127.0.0.1:<port>`. */
  get host(): string {
    return `127.0.0.1:${String(this.traffic.port)}`;
  }

  get credentials(): string {
    return `${this.username}:${this.password}`;
  }

  /** Starts it again, on the same port, with what it held. */
  async start(): Promise<void> {
    const child = new Child('docker-registry', ['serve', join(this.#directory.path, 'config.yml')]);
    this.#child = child;
    await child.until('answers', async () => {
      const { status } = await fetch(`http://127.0.0.1:${String(this.#port)}/v2/`);
      return status === 401;
    });
    await this.traffic.start();
  }

  /** Ends it: connections are refused from now on. */
  async stop(): Promise<void> {
    await this.traffic.stop();
    await this.#child?.stop();
  }

  async push(repository: string, tag: string, image: Image): Promise<void> {
    const direct = { url: `http://127.0.0.1:${String(this.#port)}`, credentials: this.credentials };
    await push(direct, repository, tag, image);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#directory[Symbol.asyncDispose]();
  }

  async #configure(): Promise<void> {
    const root = this.#directory.path;
    await mkdir(join(root, 'data'));
    const passwords = join(root, 'htpasswd');
    await command('htpasswd', ['-cbB', '-C', '4', passwords, this.username, this.password]);
    const config = {
      version: '0.1',
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: join(root, 'data') }, delete: { enabled: true } },
      http: { addr: `127.0.0.1:${String(this.#port)}`, relativeurls: true },
      auth: { htpasswd: { realm: 'Reef', path: passwords } },
    };
    await writeFile(join(root, 'config.yml'), stringify(config));
  }
}
