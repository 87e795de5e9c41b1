import { execFile } from 'node:child_process';
import { RegistryError } from '../oci/errors.ts';
import type { Credential, CredentialSource } from './credentials.ts';
import { quote } from './redact.ts';

export interface HelperOptions {
  /** The part after `docker-credential-`, such as `ecr-login`. */
  readonly name: string;
  /** What is asked for: `host[:port]`, or `https://index.docker.io/v1/` for Docker Hub. */
  readonly server: string;
  /** Milliseconds; 30 s unless told otherwise. */
  readonly timeout?: number;
  /** The helper's environment, in whose PATH it is looked for; the process's own unless told otherwise. */
  readonly env?: NodeJS.ProcessEnv;
}

/** No slash, no leading dot or dash: the name can only mean a program on PATH. */
const nameShape = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$/;

/** Whether a text can be the `<name>` of a `docker-credential-<name>`. */
export function isHelperName(text: string): boolean {
  return nameShape.test(text);
}

/** Bytes of output read at most. */
const maxOutput = 65_536;

/** What helpers print for a server that they know nothing of. */
const notFound = /credentials not found/i;

/**
 * Asks a Docker credential helper: `docker-credential-<name> get`, the server on stdin, JSON
 * `{ServerURL, Username, Secret}` on stdout. The user name `<token>` marks an identity token.
 * Runs the program at every `get`: to be wrapped in CachedCredentials.
 */
export class HelperCredentials implements CredentialSource {
  readonly #options: HelperOptions;

  /** @throws TypeError where the name is not a plain program name */
  constructor(options: HelperOptions) {
    if (!isHelperName(options.name)) {
      throw new TypeError(`not the name of a credential helper: ${quote(options.name)}`);
    }
    this.#options = options;
  }

  async get(signal: AbortSignal): Promise<Credential | undefined> {
    const { failure, output } = await this.#run(signal);
    if (failure === undefined) return parseHelperOutput(output, this.#options.name);
    signal.throwIfAborted();
    if (notFound.test(output)) return undefined;
    // A document may hold the secret, even where the helper then failed.
    const said = output.trimStart().startsWith('{') ? '' : quote(output);
    throw refused(this.#options.name, describe(failure, said), failure);
  }

  /** Nothing is kept here. */
  forget(): void {}

  #run(signal: AbortSignal): Promise<{ failure: Failure | undefined; output: string }> {
    const { name, server, timeout = 30_000, env = process.env } = this.#options;
    return new Promise((resolve) => {
      const child = execFile(
        `docker-credential-${name}`,
        ['get'],
        { signal, timeout, env, maxBuffer: maxOutput, killSignal: 'SIGKILL' },
        (failure, output) => {
          resolve({ failure: failure ?? undefined, output });
        },
      );
      // A helper that does not read its input closes the pipe; its answer is what counts.
      child.stdin?.on('error', () => {});
      child.stdin?.end(server);
    });
  }
}

type Failure = Error & { code?: string | number | null; killed?: boolean };

function describe(failure: Failure, said: string): string {
  if (failure.code === 'ENOENT') return 'is not on PATH';
  if (failure.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return 'printed too much';
  if (failure.killed === true) return 'did not answer in time';
  return `failed (${failure.code ?? 'killed'})${said === '' ? '' : `: ${said}`}`;
}

/**
 * Reads what a helper printed.
 * @throws RegistryError UPSTREAM_DENIED; never quotes the output
 */
export function parseHelperOutput(output: string, name: string): Credential {
  let document: unknown;
  try {
    document = JSON.parse(output);
  } catch {
    throw refused(name, 'did not print JSON');
  }
  const { Username, Secret } = (document ?? {}) as Record<string, unknown>;
  if (typeof Username !== 'string' || typeof Secret !== 'string' || Secret === '') {
    throw refused(name, 'printed no user name and secret');
  }
  return Username === '<token>'
    ? { kind: 'identity', token: Secret }
    : { kind: 'basic', username: Username, password: Secret };
}

/** execFile's error carries the output among its properties; only its code may go on. */
function refused(name: string, what: string, failure?: Failure): RegistryError {
  const message = `the credential helper ${name} ${what}`;
  return new RegistryError('UPSTREAM_DENIED', message, { cause: failure?.code ?? undefined });
}
