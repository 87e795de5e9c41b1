import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from './child.ts';
import { tryCommand } from './command.ts';
import { tempDir, type TempDir } from './temp-dir.ts';

/** Where programs run, as far as the network goes. */
export interface Network {
  /** The command line that runs a program there. */
  enter(command: string, args: readonly string[]): readonly [string, readonly string[]];
}

/** The tester's own. */
export const ownNetwork: Network = { enter: (command, args) => [command, args] };

/**
 * A network of its own (network_namespaces(7)) with a loopback interface and nothing else: no
 * route leads anywhere. Files and unix sockets are those of everybody.
 */
export class IsolatedNetwork implements Network, AsyncDisposable {
  readonly #directory: TempDir;
  readonly #holder: Child;
  #watch: Child | undefined;

  private constructor(directory: TempDir, holder: Child) {
    this.#directory = directory;
    this.#holder = holder;
  }

  /** Why there can be none here; undefined where there can. */
  static async fault(): Promise<string | undefined> {
    const script = 'ip link set lo up && mount --bind /etc/resolv.conf /etc/resolv.conf';
    const { code, stderr } = await tryCommand('unshare', [...apart, 'sh', '-c', script]);
    return code === 0 ? undefined : `no network namespace: ${stderr.trim()}`;
  }

  static async create(): Promise<IsolatedNetwork> {
    const directory = tempDir('network');
    await mkdir(directory.path, { recursive: true });
    const resolver = join(directory.path, 'resolv.conf');
    await writeFile(resolver, 'nameserver 127.0.0.1\n');
    const script = `ip link set lo up; mount --bind ${resolver} /etc/resolv.conf; echo up; exec sleep 86400`;
    const holder = new Child('unshare', [...apart, 'sh', '-c', script]);
    await holder.until('up', () => holder.stdout.includes('up'));
    return new IsolatedNetwork(directory, holder);
  }

  enter(command: string, args: readonly string[]): readonly [string, readonly string[]] {
    return ['nsenter', [`--net=${this.#namespace('net')}`, '--', command, ...args]];
  }

  /** The same network for who shall find its names with the watch, see {@link watch}. */
  get watched(): Network {
    const namespaces = [`--net=${this.#namespace('net')}`, `--mount=${this.#namespace('mnt')}`];
    return { enter: (command, args) => ['nsenter', [...namespaces, '--', command, ...args]] };
  }

  /**
   * Answers every name from now on, all with this network's own loopback address, and takes connections to
   * the ports of HTTP there.
   * @returns what has been asked and connected so far, a line each
   */
  async watch(): Promise<() => string[]> {
    const script = join(import.meta.dirname, 'network-watch.ts');
    const child = new Child(...this.enter(process.execPath, [script]));
    this.#watch = child;
    await child.until('listens', () => child.stdout.startsWith('listening\n'));
    return () => child.stdout.split('\n').slice(1, -1);
  }

  #namespace(kind: 'net' | 'mnt'): string {
    return `/proc/${String(this.#holder.pid)}/ns/${kind}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]();
    await this.#holder.kill();
    await this.#directory[Symbol.asyncDispose]();
  }
}

const apart = ['--net', '--mount', '--propagation', 'private', '--'];
