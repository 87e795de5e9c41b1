import type { Limit } from '../lib/limit.ts';
import type { Digest } from '../oci/digest.ts';
import type { Platforms } from '../oci/platform.ts';
import type { Reference } from '../oci/reference.ts';
import type { ProxiedRoute } from '../registry/resolve-route.ts';
import type { BlobFetches, Found } from './blob-fetches.ts';
import { ImageFollower } from './image-follower.ts';
import type { Patience } from './patience.ts';
import { RepositoryQuestions } from './repository-questions.ts';
import type { WarmEvent } from './warm-event.ts';
import type { WarmerOptions } from './warmer-options.ts';

/** What the images of one run share. */
export interface WarmTools extends Pick<WarmerOptions, 'catalog' | 'store' | 'content'> {
  readonly patience: Patience;
  /** Questions to upstreams at the same time. */
  readonly questions: Limit;
  readonly blobs: BlobFetches;
  readonly tell: (event: WarmEvent) => void;
  readonly signal: AbortSignal;
}

/** An image of an upstream. */
export interface UpstreamImage {
  /** In full. */
  readonly name: string;
  readonly route: ProxiedRoute;
  readonly reference: Reference;
  readonly platforms: Platforms;
  readonly withReferrers: boolean;
}

/** An image whose manifests are in. */
export interface Followed {
  readonly digest: Digest;
  readonly found: Found;
  /** Whether a manifest of it had to be fetched. */
  readonly hasFetched: boolean;
}

/**
 * Gets all manifests of an image, and looks which of its blobs are there.
 * @throws RegistryError
 */
export async function followImage(tools: WarmTools, image: UpstreamImage): Promise<Followed> {
  const { blobs: fetches, content, tell } = tools;
  const { name, route, reference, platforms, withReferrers } = image;
  const notice = (message: string): void =>
    tell({ kind: 'notice', message: `${name}: ${message}` });
  const questions = new RepositoryQuestions({ ...tools, ...content }, route);
  const follower = new ImageFollower(questions);
  const root = await questions.manifest(reference);
  const { digest, outcome } = root;
  if (outcome.kind === 'stale' && outcome.detail !== 'UPSTREAM_OFFLINE') {
    const why = outcome.detail ?? 'UNKNOWN';
    notice(`whether the tag has moved could not be found out (${why}); what is cached was taken`);
  }
  await follower.follow(root, platforms);
  if (withReferrers) await follower.followReferrers();
  if (follower.lacking.size > 0) {
    notice(`the image has nothing for ${[...follower.lacking].join(', ')}`);
  }
  const blobs = [...follower.blobs.values()];
  const found = await fetches.look(route, blobs);
  tell({
    kind: 'planned',
    image: name,
    digest,
    platforms: [...follower.platforms],
    blobs: blobs.length,
    bytes: blobs.reduce((sum, { size }) => sum + size, 0),
    present_blobs: found.stored.blobs,
    present_bytes: found.stored.bytes,
  });
  return { digest, found, hasFetched: follower.hasFetched };
}
