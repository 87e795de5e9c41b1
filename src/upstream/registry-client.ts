import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import type { Reference } from '../oci/reference.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { answerFailure } from './answer-failure.ts';
import { Breaker, type Admission, type Refusal } from './breaker.ts';
import type { Endpoint } from './endpoint.ts';
import { silentObserver, type UpstreamObserver } from './observer.ts';
import { alwaysProxy, proxyFromEnvironment } from './proxy.ts';
import { getBlob, headBlob } from './pull-blob.ts';
import { getReferrers, getTags } from './pull-list.ts';
import { getManifest, headManifest } from './pull-manifest.ts';
import {
  createEndpoints,
  defaultTimeouts,
  type RegistryClientOptions,
} from './registry-client-options.ts';
import { TokenSource } from './token-source.ts';
import { discard, Transport } from './transport.ts';
import type {
  FetchedBlob,
  FetchedManifest,
  ResolvedManifest,
  ResumePoint,
  Upstream,
} from './upstream.ts';

/** A registry that is pulled from over HTTP, under one URL or several. */
export class RegistryClient implements Upstream {
  readonly name: string;
  readonly #transport: Transport;
  readonly #tokens: TokenSource;
  readonly #observer: UpstreamObserver;
  readonly #endpoints: readonly { readonly endpoint: Endpoint; readonly breaker: Breaker }[];

  /** @throws TypeError for options that make no sense; opens no connection */
  constructor(options: RegistryClientOptions) {
    const upstream = options.name;
    const timeouts = { ...defaultTimeouts, ...options.timeouts };
    const observer = options.observer ?? silentObserver;
    const transport = new Transport({
      upstream,
      observer,
      timeouts,
      userAgent: options.userAgent ?? 'baleen',
      connections: options.connections ?? 32,
      ca: options.ca,
      proxy:
        options.proxy === undefined
          ? proxyFromEnvironment(options.env ?? process.env)
          : alwaysProxy(options.proxy),
    });
    const tokens = new TokenSource({ upstream, transport, observer, timeout: timeouts.token });
    this.name = upstream;
    this.#transport = transport;
    this.#tokens = tokens;
    this.#observer = observer;
    this.#endpoints = createEndpoints(options, { transport, observer, tokens }).map((endpoint) => ({
      endpoint,
      breaker: new Breaker(),
    }));
  }

  resolve(
    repository: RepositoryName,
    reference: Reference,
    signal: AbortSignal,
  ): Promise<ResolvedManifest> {
    return this.#anywhere(signal, (at) => headManifest(at, repository, reference, signal));
  }

  fetchManifest(
    repository: RepositoryName,
    reference: Reference,
    signal: AbortSignal,
  ): Promise<FetchedManifest> {
    return this.#anywhere(signal, (at) => getManifest(at, repository, reference, signal));
  }

  statBlob(
    repository: RepositoryName,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<{ size: number | undefined }> {
    return this.#anywhere(signal, (at) => headBlob(at, repository, digest, signal));
  }

  fetchBlob(
    repository: RepositoryName,
    digest: Digest,
    resume: ResumePoint | undefined,
    signal: AbortSignal,
  ): Promise<FetchedBlob> {
    return this.#anywhere(signal, (at) => getBlob(at, repository, digest, resume, signal));
  }

  listTags(repository: RepositoryName, signal: AbortSignal): Promise<string[]> {
    return this.#anywhere(signal, (at) => getTags(at, repository, signal));
  }

  listReferrers(
    repository: RepositoryName,
    subject: Digest,
    signal: AbortSignal,
  ): Promise<Descriptor[] | undefined> {
    return this.#anywhere(signal, (at) => getReferrers(at, repository, subject, signal));
  }

  ping(signal: AbortSignal): Promise<void> {
    return this.#anywhere(signal, async (endpoint) => {
      const { answer, request } = await endpoint.ping(signal);
      // A registry that wants to know who asks is one that answers.
      if (![200, 401, 403].includes(answer.status)) {
        throw await answerFailure(answer, request, this.name, request.url.pathname, signal);
      }
      discard(answer);
    });
  }

  async close(): Promise<void> {
    this.#tokens.close();
    await this.#transport.close();
  }

  /**
   * Tries one URL after the other for as long as the failure may be that URL's alone. One whose
   * breaker is open is passed over.
   */
  async #anywhere<T>(signal: AbortSignal, attempt: (at: Endpoint) => Promise<T>): Promise<T> {
    let failure: unknown;
    let refusal: Refusal | undefined;
    for (const { endpoint, breaker } of this.#endpoints) {
      signal.throwIfAborted();
      const admission = breaker.admit(performance.now());
      if ('wait' in admission) {
        if (refusal === undefined || admission.wait < refusal.wait) refusal = admission;
        continue;
      }
      if (failure instanceof Error) endpoint.warn(`${failure.message}; trying ${endpoint.host}`);
      try {
        const result = await attempt(endpoint);
        this.#succeeded(endpoint, breaker, admission);
        return result;
      } catch (error) {
        failure = error;
        if (signal.aborted) {
          breaker.abandoned(admission);
          throw error;
        }
        if (!mayBeElsewhere(error)) {
          // It answered: that the answer was no, or no use, is not for the breaker.
          this.#succeeded(endpoint, breaker, admission);
          throw error;
        }
        this.#failed(endpoint, breaker, admission, error);
      }
    }
    throw failure ?? (refusal === undefined ? undefined : refused(this.name, refusal));
  }

  #succeeded({ host }: Endpoint, breaker: Breaker, admission: Admission): void {
    if (breaker.succeeded(admission)) {
      this.#observer.breaker({ upstream: this.name, host, wait: undefined, failure: undefined });
    }
  }

  #failed(
    endpoint: Endpoint,
    breaker: Breaker,
    admission: Admission,
    failure: RegistryError,
  ): void {
    const wait = breaker.failed(admission, failure, performance.now());
    if (wait === undefined) return;
    const { host } = endpoint;
    this.#observer.breaker({ upstream: this.name, host, wait: wait / 1000, failure });
  }
}

/** What stands in for an answer while nothing is asked: the failure that is known, and when to come back. */
function refused(upstream: string, { failure, wait }: Refusal): RegistryError {
  const seconds = Math.max(1, Math.ceil(wait / 1000));
  const code = failure.code === 'UPSTREAM_TIMEOUT' ? 'UPSTREAM_UNAVAILABLE' : failure.code;
  const message = `${upstream} is not asked again for ${seconds} s: ${failure.message}`;
  return new RegistryError(code, message, {
    retryAfter: seconds,
    cause: failure,
    ...(failure.upstreamStatus !== undefined && { upstreamStatus: failure.upstreamStatus }),
  });
}

/** Another URL may be up, quick, or have quota left; what it lacks, or who may pull, is the same there. */
function mayBeElsewhere(error: unknown): error is RegistryError {
  return isRegistryError(error, 'UPSTREAM_UNAVAILABLE', 'UPSTREAM_TIMEOUT', 'TOOMANYREQUESTS');
}
