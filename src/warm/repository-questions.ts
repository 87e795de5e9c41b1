import type { Catalog } from '../catalog/catalog.ts';
import type { Limit } from '../lib/limit.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isRegistryError } from '../oci/errors.ts';
import { isDigestReference, type Reference, type Tag } from '../oci/reference.ts';
import type { ManifestAnswer, ManifestService } from '../registry/get-manifest.ts';
import type { ReferrerListService } from '../registry/list-referrers.ts';
import type { ProxiedRoute } from '../registry/resolve-route.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { ManifestQuestions } from './image-follower.ts';
import type { Patience } from './patience.ts';

/** How often a tag's check is waited for that takes longer than a client would wait. */
const maxSlowChecks = 5;

export interface RepositoryQuestionsOptions {
  readonly catalog: Catalog;
  readonly store: Pick<BlobStore, 'stat'>;
  readonly manifests: Pick<ManifestService, 'get'>;
  readonly referrers: Pick<ReferrerListService, 'list'>;
  readonly patience: Patience;
  /** Questions at the same time; who waits for the next attempt is none of them. */
  readonly questions: Limit;
  readonly signal: AbortSignal;
}

/** Asks for the manifests of one repository: in the way of clients, and with more patience. */
export class RepositoryQuestions implements ManifestQuestions {
  readonly #options: RepositoryQuestionsOptions;
  readonly #route: ProxiedRoute;

  constructor(options: RepositoryQuestionsOptions, route: ProxiedRoute) {
    this.#options = options;
    this.#route = route;
  }

  async manifest(reference: Reference): Promise<ManifestAnswer> {
    const { manifests, patience } = this.#options;
    if (!(await this.#isStored(reference))) {
      await patience.forBudget(this.#route.remote.upstream);
    }
    for (let checks = 1; ; checks++) {
      const answer = await this.#ask(() => manifests.get(this.#route, reference));
      const { kind, detail } = answer.outcome;
      // The check goes on behind what was served to somebody who could not wait.
      const isSlow = kind === 'stale' && detail === 'UPSTREAM_TIMEOUT';
      if (!isSlow || checks === maxSlowChecks) return answer;
      await patience.pause();
    }
  }

  async referrers(subject: Digest): Promise<readonly Descriptor[]> {
    const { referrers } = this.#options;
    try {
      const { manifests } = await this.#ask(() => referrers.list(this.#route, subject));
      return manifests;
    } catch (error) {
      // There are none here, and nobody to ask.
      if (isRegistryError(error, 'UPSTREAM_OFFLINE')) return [];
      throw error;
    }
  }

  async tagged(tag: Tag): Promise<ManifestAnswer | undefined> {
    const { catalog, signal } = this.#options;
    const { key, repository, remote } = this.#route;
    const { upstream, policy } = remote;
    // A note of our own: clients that look for a new signature are not to be kept from finding it.
    const note = `warm/${tag}`;
    try {
      if ((await catalog.tag(key, tag)) === undefined) {
        if (remote.offline === true || (await catalog.absent(key, note))) return undefined;
        // Free of Docker Hub's quota, which a GET in vain is not.
        await this.#ask(() => upstream.resolve(repository, tag, signal));
      }
      return await this.manifest(tag);
    } catch (error) {
      if (!isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN')) throw error;
      await catalog.putAbsent(key, note, policy.tagTtl(tag));
      return undefined;
    }
  }

  #ask<T>(question: () => Promise<T>): Promise<T> {
    const { patience, questions, signal } = this.#options;
    return patience.ask(this.#route.remote.upstream, () => questions.run(question, signal));
  }

  /** Whether it can be had without spending quota: a tag's check is free, or put off. */
  async #isStored(reference: Reference): Promise<boolean> {
    const { catalog, store } = this.#options;
    const { key } = this.#route;
    const known = isDigestReference(reference)
      ? await catalog.linked(key, 'manifests', reference)
      : await catalog.tag(key, reference);
    return known !== undefined && (await store.stat(known.digest)) !== undefined;
  }
}
