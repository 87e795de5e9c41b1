import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../../src/oci/digest.ts';
import { ContainersStore } from './containers-store.ts';
import type { PullClient } from './pull-client.ts';

/** skopeo, which copies whole multi-platform images, through `/v2/<upstream>/<repository>`. */
export class Skopeo implements PullClient {
  readonly #store: ContainersStore;
  readonly #host: string;

  private constructor(store: ContainersStore, host: string) {
    this.#store = store;
    this.#host = host;
  }

  /** @param host Baleen's, such as `127.0.0.1:5000` */
  static async start(host: string): Promise<Skopeo> {
    return new Skopeo(await ContainersStore.create(''), host);
  }

  async skopeo(...args: readonly string[]): Promise<string> {
    return this.#store.bare('skopeo', '--policy', this.#store.policy, ...args);
  }

  /** `docker://` and where the image is to be had through Baleen. */
  name(repository: string, reference = ''): string {
    return `docker://${this.#host}/docker.io/${repository}${reference}`;
  }

  async pull(repository: string, reference: string): Promise<string> {
    await this.#store.renew();
    const folder = this.#store.path();
    await mkdir(folder, { recursive: true });
    const source = this.name(repository, reference);
    const how = ['--all', '--preserve-digests', '--quiet', '--src-tls-verify=false'];
    await this.skopeo('copy', ...how, source, `dir:${folder}`);
    return digestOf(await readFile(join(folder, 'manifest.json')));
  }

  /** The digests of everything that was copied, computed anew. */
  async output(): Promise<string> {
    return digestsIn(this.#store.path());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}

/** The digests of everything in a folder that skopeo copied an image into, in order. */
export async function digestsIn(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name !== 'version');
  const digests = names.map(async (name) => digestOf(await readFile(join(folder, name))));
  return (await Promise.all(digests)).toSorted().join('\n');
}
