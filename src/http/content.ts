import type { BlobDeletion } from '../hosted/blob-deletion.ts';
import type { ManifestDeletion } from '../hosted/manifest-deletion.ts';
import type { ManifestPush } from '../hosted/manifest-push.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference } from '../oci/reference.ts';
import type { BlobAnswer, BlobFacts } from '../registry/get-blob.ts';
import type { ManifestAnswer } from '../registry/get-manifest.ts';
import type { ReferrersAnswer } from '../registry/list-referrers.ts';
import type { TagsAnswer } from '../registry/list-tags.ts';
import type { HostedRoute, ProxiedRoute, Route } from '../registry/resolve-route.ts';
import type { BlobReader } from '../store/blob-reader.ts';
import type { Push } from './uploads.ts';

/** What can be pulled from repositories of one kind; the use cases say what each call fails with. */
export interface Content<R extends Route> {
  readonly manifests: { get(route: R, reference: Reference): Promise<ManifestAnswer> };
  readonly blobs: {
    open(route: R, digest: Digest): Promise<BlobAnswer>;
    stat(route: R, digest: Digest): Promise<BlobFacts>;
    contentFailed(route: R, digest: Digest, reader: BlobReader, error: Error): void;
  };
  readonly tags: { list(route: R): Promise<TagsAnswer> };
  readonly referrers: { list(route: R, subject: Digest): Promise<ReferrersAnswer> };
}

/** What can be changed in repositories that live here; the use cases say what each call fails with. */
export interface Changes extends Push {
  readonly manifests: Pick<ManifestPush, 'put'> & Pick<ManifestDeletion, 'delete'>;
  readonly blobs: Pick<BlobDeletion, 'delete'>;
}

/** Asks the one that a request's route leads to. A route to what is hosted is only found where something is. */
export function eitherContent(
  proxied: Content<ProxiedRoute>,
  hosted: Content<HostedRoute>,
): Content<Route> {
  return {
    manifests: {
      get: (route, reference) =>
        route.via === 'hosted'
          ? hosted.manifests.get(route, reference)
          : proxied.manifests.get(route, reference),
    },
    blobs: {
      open: (route, digest) =>
        route.via === 'hosted'
          ? hosted.blobs.open(route, digest)
          : proxied.blobs.open(route, digest),
      stat: (route, digest) =>
        route.via === 'hosted'
          ? hosted.blobs.stat(route, digest)
          : proxied.blobs.stat(route, digest),
      contentFailed: (route, digest, reader, error) => {
        if (route.via === 'hosted') hosted.blobs.contentFailed(route, digest, reader, error);
        else proxied.blobs.contentFailed(route, digest, reader, error);
      },
    },
    tags: {
      list: (route) =>
        route.via === 'hosted' ? hosted.tags.list(route) : proxied.tags.list(route),
    },
    referrers: {
      list: (route, subject) =>
        route.via === 'hosted'
          ? hosted.referrers.list(route, subject)
          : proxied.referrers.list(route, subject),
    },
  };
}
