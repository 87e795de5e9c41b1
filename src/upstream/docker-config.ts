import { RegistryError } from '../oci/errors.ts';
import { CachedCredentials } from './cached-credentials.ts';
import { ChangingFile } from './changing-file.ts';
import { HelperCredentials, isHelperName } from './credential-helper.ts';
import type { Credential, CredentialSource } from './credentials.ts';
import {
  parseDockerConfig,
  serverKey,
  serverUrl,
  type DockerConfig,
} from './docker-config-file.ts';
import { quote } from './redact.ts';

export interface DockerConfigOptions {
  /** Of the `config.json` (or podman's `auth.json`). */
  readonly path: string;
  /** The registry whose credential is wanted: its URL, or `host[:port]`. */
  readonly registry: string;
  /** Milliseconds a helper may take; 30 s unless told otherwise. */
  readonly helperTimeout?: number;
  /** The helpers' environment; the process's own unless told otherwise. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * What `docker login` left behind for one registry. As in Docker, `credHelpers` comes before
 * `credsStore`, and both before `auths`; unlike Docker, a helper that knows nothing is no end.
 */
export class DockerConfigCredentials implements CredentialSource {
  readonly #options: DockerConfigOptions;
  readonly #key: string;
  readonly #file: ChangingFile<DockerConfig>;
  #helper: { readonly name: string; readonly source: CredentialSource } | undefined;

  constructor(options: DockerConfigOptions) {
    this.#options = options;
    this.#key = serverKey(options.registry);
    this.#file = new ChangingFile(options.path, parseDockerConfig);
  }

  async get(signal: AbortSignal): Promise<Credential | undefined> {
    const config = await this.#file.read();
    const name = config.helpers.get(this.#key) ?? config.store;
    const helped = name === undefined ? undefined : await this.#helperNamed(name).get(signal);
    return helped ?? config.credentials.get(this.#key);
  }

  forget(): void {
    this.#file.forget();
    this.#helper?.source.forget();
  }

  #helperNamed(name: string): CredentialSource {
    if (!isHelperName(name)) {
      const message = `a credentials file of this upstream names no proper helper: ${quote(name)}`;
      throw new RegistryError('UPSTREAM_DENIED', message);
    }
    if (this.#helper?.name !== name) {
      const { helperTimeout, env } = this.#options;
      const helper = new HelperCredentials({
        name,
        server: serverUrl(this.#key),
        ...(helperTimeout === undefined ? {} : { timeout: helperTimeout }),
        ...(env === undefined ? {} : { env }),
      });
      this.#helper = { name, source: new CachedCredentials(helper) };
    }
    return this.#helper.source;
  }
}
