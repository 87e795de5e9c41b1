import { mkdir, writeFile } from 'node:fs/promises';
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Child, type Exit } from './child.ts';
import { tryCommand, type CommandResult } from './command.ts';
import { ownNetwork, type Network } from './network.ts';
import { freePort } from './ports.ts';
import { tempDir, type TempDir } from './temp-dir.ts';

/** The configuration file's sections; what a test gives is laid over the harness's own, key by key. */
export type Settings = Readonly<Record<string, unknown>>;

const main = join(import.meta.dirname, '../../src/main.ts');

/** Baleen as a process of its own, with its own data directory and ports on loopback. */
export class Baleen implements AsyncDisposable {
  readonly port: number;
  readonly operationsPort: number;
  readonly #directory: TempDir;
  /** Variables for the process, from the next start on. */
  environment: Readonly<Record<string, string>> = {};
  /** Where the process and its commands run, from the next start on. */
  network: Network = ownNetwork;
  /** The most files that the process may open, from the next start on; as many as the tester's own where undefined. */
  openFiles: number | undefined;
  #settings: Settings;
  #child: Child | undefined;

  private constructor(directory: TempDir, ports: readonly [number, number], settings: Settings) {
    this.#directory = directory;
    [this.port, this.operationsPort] = ports;
    this.#settings = settings;
  }

  /** Starts one and waits until it answers. */
  static async start(settings: Settings): Promise<Baleen> {
    const baleen = await Baleen.prepare(settings);
    await baleen.start();
    return baleen;
  }

  /** Chooses ports and a directory, and starts nothing. */
  static async prepare(settings: Settings): Promise<Baleen> {
    const ports = [await freePort(), await freePort()] as const;
    return new Baleen(tempDir('baleen'), ports, settings);
  }

  /** `127.0.0.1:<port>`. */
  get host(): string {
    return `127.0.0.1:${String(this.port)}`;
  }

  get url(): string {
    return `${'tls' in this.#section('server') ? 'https' : 'http'}://${this.host}`;
  }

  /** Where /metrics, /healthz and /readyz are. */
  get operationsUrl(): string {
    return `http://127.0.0.1:${String(this.operationsPort)}`;
  }

  get configFile(): string {
    return join(this.#directory.path, 'baleen.yaml');
  }

  get dataDirectory(): string {
    return join(this.#directory.path, 'data');
  }

  /** The running process, or the last that ran. */
  get process(): Child {
    if (this.#child === undefined) throw new Error('Baleen was never started');
    return this.#child;
  }

  /** Lays other sections over the configuration; they hold from the next start or command. */
  configure(settings: Settings): void {
    this.#settings = { ...this.#settings, ...settings };
  }

  /** Starts it, again if need be: on the same ports, with the same data. */
  async start(): Promise<void> {
    const child = await this.spawn();
    // Accounts challenge this; a certificate that was made for the test is nobody's to trust here.
    await child.until('answers', async () => [200, 401].includes(await this.#ping()));
  }

  /** Starts the process and waits for nothing: it may be one that must fail. */
  async spawn(): Promise<Child> {
    await this.writeConfiguration();
    const args = [process.execPath, main, '--config', this.configFile];
    const limit = this.openFiles === undefined ? '' : `ulimit -n ${String(this.openFiles)}; `;
    const [command, ...rest] =
      limit === '' ? args : ['sh', '-c', `${limit}exec "$0" "$@"`, ...args];
    this.#child = new Child(...this.network.enter(command ?? '', rest), {
      env: { ...hermeticEnvironment(), ...this.environment },
    });
    return this.#child;
  }

  /** Runs another command of Baleen with the same configuration, to its end. */
  async command(...args: readonly string[]): Promise<CommandResult> {
    await this.writeConfiguration();
    const line = [main, ...args, '--config', this.configFile];
    return tryCommand(...this.network.enter(process.execPath, line), {
      env: hermeticEnvironment(),
    });
  }

  /** Lays other sections over the configuration, and has the running process read it. Gives whether it did. */
  async reload(settings: Settings): Promise<boolean> {
    this.configure(settings);
    await this.writeConfiguration();
    return this.reread();
  }

  /** Has the running process read its configuration, however it came to be; whether it could be used. */
  async reread(): Promise<boolean> {
    const reloads = 'baleen_config_reloads_total';
    const before = await this.metric(reloads);
    this.process.signal('SIGHUP');
    await this.process.until('reloads', async () => (await this.metric(reloads)) > before);
    return (await this.metric('baleen_config_last_reload_successful')) === 1;
  }

  /** Writes what a start or a command would read. */
  async writeConfiguration(): Promise<void> {
    await mkdir(this.#directory.path, { recursive: true });
    await writeFile(
      this.configFile,
      stringify({
        ...this.#settings,
        server: { listen: this.host, ...this.#section('server') },
        operations: {
          listen: `127.0.0.1:${String(this.operationsPort)}`,
          ...this.#section('operations'),
        },
        storage: { directory: this.dataDirectory, ...this.#section('storage') },
        log: { level: 'debug', format: 'json', ...this.#section('log') },
      }),
    );
  }

  /** SIGTERM; gives how it ended. */
  async stop(): Promise<Exit> {
    return this.process.stop(30_000);
  }

  /** SIGKILL: no chance to tidy up. */
  async kill(): Promise<Exit> {
    return this.process.kill();
  }

  /** The value of a metric, summed over the samples whose labels hold all the given texts. */
  async metric(name: string, ...labels: readonly string[]): Promise<number> {
    const text = await (await fetch(`${this.operationsUrl}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => labels.every((label) => line.includes(label)))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  /** The status of `GET /v2/`; from inside where it runs in a network of its own. */
  async #ping(): Promise<number> {
    if (this.network === ownNetwork) return ping(this.url);
    const args = ['-s', '-k', '-o', '/dev/null', '-w', '%{http_code}', `${this.url}/v2/`];
    return Number((await tryCommand(...this.network.enter('curl', args))).stdout);
  }

  #section(name: string): object {
    return (this.#settings[name] as object | undefined) ?? {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }
}

/** The status of `GET /v2/`, whoever signed the certificate. */
async function ping(url: string): Promise<number> {
  const get = url.startsWith('https:') ? httpsGet : httpGet;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  get(`${url}/v2/`, { agent: false, rejectUnauthorized: false }, (answer) => {
    answer.resume().once('error', reject);
    resolve(answer.statusCode ?? 0);
  }).once('error', reject);
  return promise;
}

/** Nothing of the tester's own: no settings, no proxies. */
export function hermeticEnvironment(): Record<string, undefined> {
  const foreign = Object.keys(process.env).filter((name) =>
    /^(BALEEN_.*|(https?|no|all)_proxy)$/i.test(name),
  );
  return Object.fromEntries(foreign.map((name) => [name, undefined]));
}
