import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isRegistryError, type RegistryError } from '../oci/errors.ts';
import type { Reference } from '../oci/reference.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { answerFailure } from './answer-failure.ts';
import type { Endpoint } from './endpoint.ts';
import { silentObserver } from './observer.ts';
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
  readonly #endpoints: readonly Endpoint[];

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
    this.#endpoints = createEndpoints(options, { transport, observer, tokens });
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

  /** Tries one URL after the other for as long as the failure may be that URL's alone. */
  async #anywhere<T>(signal: AbortSignal, attempt: (at: Endpoint) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const [index, endpoint] of this.#endpoints.entries()) {
      signal.throwIfAborted();
      try {
        return await attempt(endpoint);
      } catch (error) {
        failure = error;
        if (signal.aborted || !mayBeElsewhere(error)) throw error;
        const next = this.#endpoints[index + 1];
        if (next !== undefined) endpoint.warn(`${error.message}; trying ${next.host}`);
      }
    }
    throw failure;
  }
}

/** Another URL may be up, quick, or have quota left; what it lacks, or who may pull, is the same there. */
function mayBeElsewhere(error: unknown): error is RegistryError {
  return isRegistryError(error, 'UPSTREAM_UNAVAILABLE', 'UPSTREAM_TIMEOUT', 'TOOMANYREQUESTS');
}
