import type { Digest } from '../oci/digest.ts';
import type { ReferrersAnswer } from '../registry/list-referrers.ts';
import { hit } from '../registry/outcome.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import type { ReferrersIndexes } from './referrers-indexes.ts';

/** What refers to the manifests of repositories that live here. */
export class HostedReferrers {
  readonly #indexes: ReferrersIndexes;

  constructor(indexes: ReferrersIndexes) {
    this.#indexes = indexes;
  }

  /** A subject that nobody has pushed may have referrers, too. */
  async list({ key }: HostedRoute, subject: Digest): Promise<ReferrersAnswer> {
    return { manifests: await this.#indexes.referrers(key, subject), outcome: hit };
  }
}
