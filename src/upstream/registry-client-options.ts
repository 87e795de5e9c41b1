import { Authenticator } from './authenticator.ts';
import type { CredentialSource } from './credentials.ts';
import type { UpstreamTimeouts } from './dispatchers.ts';
import { Endpoint } from './endpoint.ts';
import type { UpstreamObserver } from './observer.ts';
import { sameParty } from './realm.ts';
import { parseRegistryUrl } from './registry-url.ts';
import type { TokenSource } from './token-source.ts';
import type { Transport } from './transport.ts';

/** One of the URLs under which an upstream is reached. */
export interface UpstreamUrl {
  readonly url: string;
  /** For this URL alone; the client's own are not used then. */
  readonly credentials?: CredentialSource | undefined;
}

export interface RegistryClientOptions {
  /** The name in the configuration, such as `docker.io`. */
  readonly name: string;
  /**
   * `https://host[/path]`, in the order in which they are tried: the next one when there is no
   * connection, no answer in time, a 5xx or a 429; never for a 404.
   */
  readonly urls: readonly (string | UpstreamUrl)[];
  /**
   * For the first URL and for plain ones under the same domain. A mirror elsewhere never gets them:
   * give it its own.
   */
  readonly credentials?: CredentialSource | undefined;
  /** Origins of token endpoints (`https://auth.example`) trusted although their host is unrelated. */
  readonly realms?: readonly string[] | undefined;
  /** Send Basic before being asked; always so for ECR. */
  readonly preemptive?: boolean | undefined;
  readonly timeouts?: Partial<UpstreamTimeouts> | undefined;
  /** PEM certificates, trusted beside the usual ones. */
  readonly ca?: string | undefined;
  /** For everything; HTTP_PROXY, HTTPS_PROXY and NO_PROXY count only without it. */
  readonly proxy?: string | undefined;
  /** Where the proxy variables are read; the process's own environment unless told otherwise. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Connections per origin, for blobs and as many again for all else; 32 unless told otherwise. */
  readonly connections?: number | undefined;
  /** `baleen/<version>`. */
  readonly userAgent?: string | undefined;
  readonly observer?: UpstreamObserver | undefined;
}

/** Milliseconds. */
export const defaultTimeouts: UpstreamTimeouts = {
  connect: 5_000,
  headers: 30_000,
  idle: 30_000,
  token: 15_000,
};

/**
 * Builds an endpoint for each URL, with the credentials that may go there.
 * @throws TypeError for a malformed URL, or none at all
 */
export function createEndpoints(
  options: RegistryClientOptions,
  shared: { transport: Transport; tokens: TokenSource; observer: UpstreamObserver },
): readonly Endpoint[] {
  const { name: upstream, realms = [], preemptive = false } = options;
  const { observer } = shared;
  const urls = options.urls.map((url) => (typeof url === 'string' ? { url } : url));
  const [first] = urls;
  if (first === undefined) throw new TypeError(`${upstream}: an upstream needs a URL`);
  const home = parseRegistryUrl(first.url).root;
  return urls.map((entry) => {
    const url = parseRegistryUrl(entry.url);
    const own = 'credentials' in entry;
    const related =
      sameParty(url.root.hostname, home.hostname) && url.root.protocol === home.protocol;
    if (!own && !related && options.credentials !== undefined) {
      const message = `${url.root.origin} gets no credentials: it is not of ${home.host}`;
      observer.warning({ upstream, message });
    }
    const credentials = own ? entry.credentials : related ? options.credentials : undefined;
    const authenticator = new Authenticator({
      upstream,
      registry: url.root,
      credentials,
      realms: realms.map(toOrigin),
      preemptive,
      tokens: shared.tokens,
      observer,
    });
    return new Endpoint({ upstream, url, authenticator, ...shared });
  });
}

/** @throws TypeError */
function toOrigin(realm: string): string {
  return new URL(/^https?:\/\//i.test(realm) ? realm : `https://${realm}`).origin;
}
