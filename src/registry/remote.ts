import type { Tag } from '../oci/reference.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** How long what an upstream said is believed. All in milliseconds. */
export interface FreshnessPolicy {
  /** For how long a tag is served without asking. */
  tagTtl(tag: Tag): number;
  /** For how long "there is no such thing" is believed. */
  readonly negativeTtl: number;
  /** For how long after its last confirmation a tag may be served while the upstream fails. */
  readonly staleIfError: number;
  /** How long a client waits for a tag's check before it is served what is cached. */
  readonly revalidateBudget: number;
  /** For how long a broken transfer is taken up again without getting any further. */
  readonly resumePatience: number;
  /** Serve a tag on although the upstream deleted it. */
  readonly keepDeleted: boolean;
}

/** An upstream together with what the operator said about it. */
export interface Remote {
  /** The name in the configuration, such as `docker.io`. */
  readonly name: string;
  readonly upstream: Upstream;
  readonly policy: FreshnessPolicy;
  /** Whether it is never asked, by the configuration: what is on record is all there is. */
  readonly offline?: boolean;
  /** Whether the `allow` and `deny` globs let this repository through. */
  permits(repository: RepositoryName): boolean;
}
