import type { CommandResult } from '../command.ts';
import { ContainersStore } from './containers-store.ts';
import { onPodman, runLimits } from './podman.ts';
import type { PushTarget } from './push-client.ts';
import { StorePusher } from './store-pusher.ts';

/** podman as a client that pushes. */
export class PodmanPusher extends StorePusher {
  #image = '';

  static async start(target: PushTarget): Promise<PodmanPusher> {
    const pusher = new PodmanPusher(await ContainersStore.create(''), target);
    await pusher.store.renew();
    return pusher;
  }

  async pull(name: string): Promise<CommandResult> {
    await this.store.renew();
    this.#image = this.full(name);
    return this.run('pull', '--quiet', ...this.trust(), this.#image);
  }

  async output(): Promise<string> {
    const { stdout, stderr } = await this.run('run', '--rm', ...runLimits, this.#image);
    return stdout === '' ? stderr : stdout;
  }

  protected async run(...args: readonly string[]): Promise<CommandResult> {
    return this.store.tryRun('podman', ...onPodman(this.store), ...args);
  }
}
