import { Authenticator } from './authenticator.ts';
import { Accounts } from './accounts.ts';
import { defaultBreakerPolicy, Breaker, type BreakerPolicy } from './breaker.ts';
import type { CredentialSource, LabelledCredentials } from './credentials.ts';
import type { UpstreamTimeouts } from './dispatchers.ts';
import { Endpoint } from './endpoint.ts';
import type { Address } from './failover.ts';
import type { FarHosts } from './far-hosts.ts';
import type { UpstreamObserver } from './observer.ts';
import { sameParty } from './realm.ts';
import type { RateLimit } from './rate-limit.ts';
import { parseRegistryUrl } from './registry-url.ts';
import type { ThriftPolicy } from './thrift.ts';
import type { TokenSource } from './token-source.ts';
import type { Transport } from './transport.ts';

/** One credential, or several: the one with the most of its quota left is asked with first. */
export type Credentials = CredentialSource | readonly LabelledCredentials[];

/** One of the URLs under which an upstream is reached. */
export interface UpstreamUrl {
  readonly url: string;
  /** For this URL alone; the client's own are not used then. */
  readonly credentials?: Credentials | undefined;
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
  readonly credentials?: Credentials | undefined;
  /** Origins of token endpoints (`https://auth.example`) trusted although their host is unrelated. */
  readonly realms?: readonly string[] | undefined;
  /** Send Basic before being asked; always so for ECR. */
  readonly preemptive?: boolean | undefined;
  readonly timeouts?: Partial<UpstreamTimeouts> | undefined;
  /** Bytes a second under which a blob's body counts as broken; 1 KiB unless told otherwise, 0 for any pace. */
  readonly minRate?: number | undefined;
  /** Bytes; 100 GiB unless told otherwise. */
  readonly maxBlobSize?: number | undefined;
  readonly breaker?: BreakerPolicy | undefined;
  readonly thrift?: ThriftPolicy | undefined;
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
  body: 60_000,
  slow: 30_000,
  token: 15_000,
};

/** What all URLs of an upstream share. */
export interface SharedParts {
  readonly transport: Transport;
  readonly tokens: TokenSource;
  readonly farHosts: FarHosts;
  readonly observer: UpstreamObserver;
  /** Some budget has changed. */
  readonly onBudget: () => void;
}

/**
 * Builds an endpoint for each URL and each of the credentials that may go there.
 * @throws TypeError for a malformed URL, or none at all
 */
export function createAddresses(
  options: RegistryClientOptions,
  shared: SharedParts,
): readonly Address[] {
  const { name: upstream, realms = [], preemptive = false } = options;
  const { breaker = defaultBreakerPolicy } = options;
  const urls = options.urls.map((url) => (typeof url === 'string' ? { url } : url));
  const [first] = urls;
  if (first === undefined) throw new TypeError(`${upstream}: an upstream needs a URL`);
  const home = parseRegistryUrl(first.url).root;
  return urls.map((entry) => {
    const url = parseRegistryUrl(entry.url);
    const credentials = credentialsFor(url.root, home, entry, options, shared.observer);
    const accounts = new Accounts(
      credentials.map(({ label }) => label),
      breaker,
    );
    const endpoints = credentials.map(({ label: credential, source }, index) => {
      const authenticator = new Authenticator({
        upstream,
        registry: url.root,
        credentials: source,
        realms: realms.map(toOrigin),
        preemptive,
        ...shared,
      });
      const onQuota = (quota: RateLimit): void => {
        accounts.heard(index, quota, performance.now());
        shared.onBudget();
      };
      const own = { url, credential, authenticator, onQuota };
      return new Endpoint({ upstream, ...own, ...shared });
    });
    const { host } = url.root;
    return { url: entry.url, host, health: new Breaker(breaker), accounts, endpoints };
  });
}

/** The credentials that may go to a URL; where there are none, one that stands for nobody. */
function credentialsFor(
  root: URL,
  home: URL,
  entry: UpstreamUrl,
  { name: upstream, credentials: common }: RegistryClientOptions,
  observer: UpstreamObserver,
): readonly { readonly label: string; readonly source: CredentialSource | undefined }[] {
  const own = 'credentials' in entry;
  const related = sameParty(root.hostname, home.hostname) && root.protocol === home.protocol;
  if (!own && !related && common !== undefined) {
    const message = `${root.origin} gets no credentials: it is not of ${home.host}`;
    observer.warning({ upstream, message });
  }
  const given = own ? entry.credentials : related ? common : undefined;
  if (given === undefined) return [{ label: 'anonymous', source: undefined }];
  return 'get' in given ? [{ label: 'credential-1', source: given }] : given;
}

/** @throws TypeError */
function toOrigin(realm: string): string {
  return new URL(/^https?:\/\//i.test(realm) ? realm : `https://${realm}`).origin;
}
