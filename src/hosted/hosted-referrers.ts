import type { Digest } from '../oci/digest.ts';
import type { ReferrersAnswer } from '../registry/list-referrers.ts';
import { hit } from '../registry/outcome.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';

/** What refers to the manifests of repositories that live here. */
export class HostedReferrers {
  list(_route: HostedRoute, _subject: Digest): Promise<ReferrersAnswer> {
    return Promise.resolve({ manifests: [], outcome: hit });
  }
}
