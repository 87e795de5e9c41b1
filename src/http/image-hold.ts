import { heldBy, type Held, type HoldPolicy } from '../access/hold-policy.ts';
import type { Verdicts } from '../access/verdicts.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isIndexType } from '../oci/media-type.ts';
import { isReferrersTag } from '../oci/reference.ts';
import type { StoredManifest } from '../registry/manifest-cache.ts';
import type { Route } from '../registry/resolve-route.ts';
import type { Hold } from './manifests.ts';
import { targetOf } from './registry-request.ts';
import type { RequestContext } from './request-context.ts';

/** Told of images that were held back. */
export interface HoldObserver {
  held(repository: string, manifest: StoredManifest, held: Held): void;
}

/**
 * Holds manifests back until somebody has said that they are good. Memory only: what is asked for
 * most must not wait for a disk.
 *
 * Only manifests: layers alone are no image, and many images share them. What is said of an index
 * holds for the manifests that it names, which clients pull by their digests.
 */
export class ImageHold implements Hold {
  readonly #verdicts: Verdicts;
  readonly #observer: HoldObserver;
  /** Undefined where nothing is held back. */
  policy: HoldPolicy | undefined;

  constructor(policy: HoldPolicy | undefined, verdicts: Verdicts, observer: HoldObserver) {
    this.policy = policy;
    this.#verdicts = verdicts;
    this.#observer = observer;
  }

  admit(context: RequestContext, route: Route, manifest: StoredManifest): void {
    const { policy } = this;
    if (policy === undefined) return;
    const { repository } = targetOf('', route);
    if (!policy.matches(repository) || policy.exempt.has(context.caller.account)) return;
    const { digest } = manifest;
    // A list like the one of the referrers API: what it names is held back by itself.
    const isIndex = isIndexType(manifest.mediaType);
    if (isIndex && isReferrersTag(context.reference ?? '')) return;
    const said = this.#verdicts.of(digest, Date.now());
    const held = heldBy(policy, said);
    if (held === undefined) {
      if (isIndex && said !== undefined && !this.#verdicts.hasOpened(digest)) {
        this.#verdicts.cover(said, digest, childrenOf(manifest));
      }
      return;
    }
    context.held = { manifest, kind: held.kind };
    this.#observer.held(repository, manifest, held);
    throw new RegistryError('DENIED', held.message, { detail: { digest, verdict: held.kind } });
  }
}

/** The manifests that an index names. */
export function childrenOf({ bytes, mediaType }: Omit<StoredManifest, 'digest'>): Digest[] {
  return parseManifest(bytes, mediaType).manifests.map(({ digest }) => digest);
}
