import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandResult } from '../command.ts';
import { ContainersStore } from './containers-store.ts';
import type { PushTarget } from './push-client.ts';
import { StorePusher } from './store-pusher.ts';

/** buildah as a client that pushes. */
export class BuildahPusher extends StorePusher {
  #container = '';

  static async start(target: PushTarget): Promise<BuildahPusher> {
    const pusher = new BuildahPusher(await ContainersStore.create(''), target);
    await pusher.store.renew();
    return pusher;
  }

  async pull(name: string): Promise<CommandResult> {
    await this.store.renew();
    const result = await this.run(
      'from',
      '--quiet',
      '--pull-always',
      ...this.trust(),
      this.full(name),
    );
    this.#container = result.stdout.trim();
    return result;
  }

  /** By way of a file: what a program prints is lost at times on a busy machine, in buildah itself. */
  async output(): Promise<string> {
    const how = ['--isolation', 'chroot', this.#container, 'sh', '-c', '/hello > /tmp/said'];
    const ran = await this.run('run', ...how);
    if (ran.code !== 0) throw new Error(ran.stderr);
    const { stdout } = await this.run('mount', this.#container);
    return readFile(join(stdout.trim(), 'tmp/said'), 'utf8');
  }

  /** Makes an index out of images of this registry and pushes it with all of them. */
  async pushList(name: string, images: readonly string[]): Promise<CommandResult> {
    await this.run('manifest', 'create', 'list');
    for (const image of images) {
      await this.run('manifest', 'add', ...this.trust(), 'list', `docker://${this.full(image)}`);
    }
    const where = `docker://${this.full(name)}`;
    return this.run('manifest', 'push', '--all', ...this.trust(), 'list', where);
  }

  protected async run(...args: readonly string[]): Promise<CommandResult> {
    const [command, ...rest] = args;
    const policy = ['pull', 'push', 'from'].includes(command ?? '')
      ? ['--signature-policy', this.store.policy]
      : [];
    return this.store.tryRun('buildah', command ?? '', ...policy, ...rest);
  }
}
