import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference } from '../oci/reference.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { answerFailure } from './answer-failure.ts';
import { defaultBreakerPolicy } from './breaker.ts';
import { Failover, type Address } from './failover.ts';
import { FarHosts } from './far-hosts.ts';
import { Governor } from './governor.ts';
import { silentObserver, type UpstreamObserver } from './observer.ts';
import { alwaysProxy, proxyFromEnvironment } from './proxy.ts';
import { getBlob, headBlob } from './pull-blob.ts';
import { getReferrers, getTags } from './pull-list.ts';
import { getManifest, headManifest } from './pull-manifest.ts';
import {
  createAddresses,
  defaultTimeouts,
  type RegistryClientOptions,
} from './registry-client-options.ts';
import { defaultThriftPolicy, type Thrift } from './thrift.ts';
import { TokenSource } from './token-source.ts';
import { discard, Transport } from './transport.ts';
import type {
  FetchedBlob,
  FetchedManifest,
  ResolvedManifest,
  ResumePoint,
  Upstream,
} from './upstream.ts';
import { reportAccount, reportBreaker, type UpstreamStatus } from './upstream-status.ts';

/** A registry that is pulled from over HTTP, under one URL or several. */
export class RegistryClient implements Upstream {
  readonly name: string;
  readonly #transport: Transport;
  readonly #tokens: TokenSource;
  readonly #addresses: readonly Address[];
  readonly #farHosts: FarHosts;
  readonly #failover: Failover;
  readonly #governor: Governor;

  /** @throws TypeError for options that make no sense; opens no connection */
  constructor(options: RegistryClientOptions) {
    const upstream = options.name;
    const timeouts = { ...defaultTimeouts, ...options.timeouts };
    const { thrift = defaultThriftPolicy, observer: told = silentObserver } = options;
    const governor = new Governor(upstream, thrift, told, () => this.#addresses);
    const observer = heeding(told, () => governor.update());
    const transport = new Transport({
      upstream,
      observer,
      timeouts,
      userAgent: options.userAgent ?? 'baleen',
      connections: options.connections ?? 32,
      minRate: options.minRate ?? 1024,
      maxBlobSize: options.maxBlobSize ?? 100 * 1024 ** 3,
      ca: options.ca,
      proxy:
        options.proxy === undefined
          ? proxyFromEnvironment(options.env ?? process.env)
          : alwaysProxy(options.proxy),
    });
    const tokens = new TokenSource({ upstream, transport, observer, timeout: timeouts.token });
    const onBudget = (): void => governor.update();
    this.name = upstream;
    this.#transport = transport;
    this.#tokens = tokens;
    this.#governor = governor;
    const { breaker = defaultBreakerPolicy } = options;
    this.#farHosts = new FarHosts({ upstream, transport, breaker, observer });
    const shared = { transport, tokens, farHosts: this.#farHosts, observer, onBudget };
    this.#addresses = createAddresses(options, shared);
    this.#failover = new Failover(upstream, this.#addresses, observer);
  }

  get thrift(): Thrift {
    return this.#governor.thrift;
  }

  status(): UpstreamStatus {
    const now = performance.now();
    const { stretch } = this.thrift;
    return {
      name: this.name,
      offline: false,
      revalidation: stretch === 1 ? 'normal' : stretch === Infinity ? 'suspended' : 'stretched',
      urls: this.#addresses.map(({ url, host, health, accounts }) => ({
        url,
        host,
        breaker: reportBreaker(health.status(now)),
        credentials: accounts.status(now).map(reportAccount),
      })),
      redirects: this.#farHosts.status(now),
    };
  }

  resolve(
    repository: RepositoryName,
    reference: Reference,
    signal: AbortSignal,
  ): Promise<ResolvedManifest> {
    return this.#failover.run(signal, (at) => headManifest(at, repository, reference, signal));
  }

  fetchManifest(
    repository: RepositoryName,
    reference: Reference,
    signal: AbortSignal,
  ): Promise<FetchedManifest> {
    return this.#failover.run(signal, (at) => getManifest(at, repository, reference, signal));
  }

  statBlob(
    repository: RepositoryName,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<{ size: number | undefined }> {
    return this.#failover.run(signal, (at) => headBlob(at, repository, digest, signal));
  }

  fetchBlob(
    repository: RepositoryName,
    digest: Digest,
    resume: ResumePoint | undefined,
    signal: AbortSignal,
  ): Promise<FetchedBlob> {
    return this.#failover.run(signal, (at) => getBlob(at, repository, digest, resume, signal));
  }

  listTags(repository: RepositoryName, signal: AbortSignal): Promise<string[]> {
    return this.#failover.run(signal, (at) => getTags(at, repository, signal));
  }

  listReferrers(
    repository: RepositoryName,
    subject: Digest,
    signal: AbortSignal,
  ): Promise<Descriptor[] | undefined> {
    return this.#failover.run(signal, (at) => getReferrers(at, repository, subject, signal));
  }

  ping(signal: AbortSignal): Promise<void> {
    return this.#failover.run(signal, async (endpoint) => {
      const { answer, request } = await endpoint.ping(signal);
      // A registry that wants to know who asks is one that answers.
      if (![200, 401, 403].includes(answer.status)) {
        throw await answerFailure(answer, request, this.name, request.url.pathname, signal);
      }
      discard(answer);
    });
  }

  async close(): Promise<void> {
    this.#governor.close();
    this.#tokens.close();
    await this.#transport.close();
  }
}

/** The observer, and behind it somebody who wants to know of breakers, too. */
function heeding(observer: UpstreamObserver, onBreaker: () => void): UpstreamObserver {
  return {
    request: (event) => observer.request(event),
    thrift: (event) => observer.thrift(event),
    warning: (event) => observer.warning(event),
    breaker(event) {
      observer.breaker(event);
      onBreaker();
    },
  };
}
