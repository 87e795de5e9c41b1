import type { RepositoryName } from '../oci/repository-name.ts';
import { Authenticator, type Authorization } from './authenticator.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { FarHosts } from './far-hosts.ts';
import type { UpstreamObserver } from './observer.ts';
import { parseRateLimit, type RateLimit } from './rate-limit.ts';
import { follow, type Followed } from './redirect.ts';
import type { RegistryUrl } from './registry-url.ts';
import type { TokenSource } from './token-source.ts';
import { discard, type Answer, type OutgoingRequest, type Transport } from './transport.ts';

export interface EndpointOptions {
  readonly upstream: string;
  readonly url: RegistryUrl;
  /** What its credential is called; see `CredentialStatus`. */
  readonly credential: string;
  readonly authenticator: Authenticator;
  readonly transport: Pick<Transport, 'send'>;
  readonly tokens: TokenSource;
  readonly farHosts: Pick<FarHosts, 'send'>;
  /** Told of the quota in every answer of the registry's own. */
  readonly onQuota: (quota: RateLimit) => void;
  readonly observer: UpstreamObserver;
}

/** Times one request is sent: unasked, after a challenge, and after a credential proved outdated. */
const maxAttempts = 3;

/** One URL of a registry, asked with one credential: requests go out authorized, redirects are followed. */
export class Endpoint {
  /** The name in the configuration. */
  readonly upstream: string;
  readonly #options: EndpointOptions;

  constructor(options: EndpointOptions) {
    this.upstream = options.upstream;
    this.#options = options;
  }

  get credential(): string {
    return this.#options.credential;
  }

  /** Host and port and credential, for messages. */
  get title(): string {
    return `${this.#options.url.root.host} as ${this.credential}`;
  }

  /** Whether a host (and port) is the registry's own, or its token server's. */
  owns(host: string): boolean {
    return host === this.#options.url.root.host || this.#options.authenticator.hasRealm(host);
  }

  /** The URL of something in a repository, such as `manifests/latest`. */
  locate(repository: RepositoryName, path: string): URL {
    const { root, prefix } = this.#options.url;
    return new URL(`${root.pathname}${prefix}${repository}/${path}`, root);
  }

  /**
   * Sends a GET or HEAD that needs leave to pull.
   * @returns an answer of any status, 401 included where nothing more can be done about it
   * @throws RegistryError what the transport, the redirects or the token endpoint fail with
   */
  async pull(
    repository: RepositoryName,
    request: OutgoingRequest,
    signal: AbortSignal,
  ): Promise<Followed> {
    const { authenticator } = this.#options;
    const scope = `repository:${this.#options.url.prefix}${repository}:pull`;
    let authorization = await authenticator.initial(scope, signal);
    for (let attempt = 1; ; attempt++) {
      const followed = await follow(this.#send, authorized(request, authorization), signal);
      const { answer, crossed } = followed;
      if (answer.status !== 401 || attempt === maxAttempts) return followed;
      let next: Authorization | undefined;
      try {
        if (crossed) return await this.#pullElsewhere(request, followed, signal);
        const challenges = await this.#challenges(answer, signal);
        next = await authenticator.answer(challenges, authorization, scope, signal);
      } catch (error) {
        discard(answer);
        throw error;
      }
      if (next === undefined) return followed;
      discard(answer);
      authorization = next;
    }
  }

  /** Sends `GET /v2/` as nobody, and remembers what it is challenged with. */
  async ping(signal: AbortSignal): Promise<Followed & { readonly request: OutgoingRequest }> {
    const { url, authenticator } = this.#options;
    const request: OutgoingRequest = { kind: 'ping', method: 'GET', url: url.root, headers: {} };
    const followed = await follow(this.#send, request, signal);
    if (followed.answer.status === 401 && !followed.crossed) {
      authenticator.learn(readChallenges(followed.answer));
    }
    return { ...followed, request };
  }

  /** Tells the operator. */
  warn(message: string): void {
    this.#options.observer.warning({ upstream: this.upstream, message });
  }

  readonly #send = async (request: OutgoingRequest, signal: AbortSignal): Promise<Answer> => {
    const { url, transport, farHosts, onQuota } = this.#options;
    if (request.url.origin !== url.root.origin) return farHosts.send(request, signal);
    const answer = await transport.send(request, signal);
    // What comes with a challenge is the quota of nobody in particular: no credential was sent yet.
    const quota = answer.status === 401 ? undefined : parseRateLimit(answer.headers);
    if (quota !== undefined) onQuota(quota);
    return answer;
  };

  /** Google's registries leave the challenge out of some answers, but not of the ping's. */
  async #challenges(answer: Answer, signal: AbortSignal): Promise<Challenge[]> {
    const challenges = readChallenges(answer);
    if (challenges.length > 0 || this.#options.authenticator.learned) return challenges;
    const ping = await this.ping(signal);
    discard(ping.answer);
    return ping.crossed ? [] : readChallenges(ping.answer);
  }

  /**
   * A front such as lscr.io redirects to a registry of its own right, which wants a token even for
   * what is public. It is asked for as nobody: no credential is meant for that origin.
   */
  async #pullElsewhere(
    request: OutgoingRequest,
    followed: Followed,
    signal: AbortSignal,
  ): Promise<Followed> {
    const { upstream, tokens, observer } = this.#options;
    const registry = followed.answer.url;
    const challenges = readChallenges(followed.answer);
    const scope = challenges.map(({ params }) => params.get('scope')).find((text) => text);
    if (scope === undefined) return followed;
    const nobody = new Authenticator({
      upstream,
      registry,
      tokens,
      observer,
      credentials: undefined,
      realms: [],
      preemptive: false,
    });
    const authorization = await nobody.answer(challenges, undefined, scope, signal);
    if (authorization === undefined) return followed;
    discard(followed.answer);
    const there = authorized({ ...request, url: registry }, authorization);
    return { answer: (await follow(this.#send, there, signal)).answer, crossed: true };
  }
}

function authorized(
  request: OutgoingRequest,
  authorization: Authorization | undefined,
): OutgoingRequest {
  if (authorization === undefined) return request;
  return { ...request, headers: { ...request.headers, authorization: authorization.header } };
}

/** undici gives several lines as an array, whatever the type says. */
function readChallenges(answer: Answer): Challenge[] {
  return parseChallenges(answer.headers['www-authenticate']);
}
