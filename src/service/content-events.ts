import { anonymous } from '../access/caller.ts';
import { contentUrl } from '../events/content-url.ts';
import type { ContentEvent } from '../events/content-event.ts';
import type { Notifications } from '../events/notifications.ts';
import type { Content } from '../http/content.ts';
import type {
  ChangeObserver,
  ContentChange,
  HttpObserver,
  RequestSummary,
} from '../http/observer.ts';
import type { RequestContext } from '../http/request-context.ts';
import type { RequestFacts } from '../http/request-facts.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { Download } from '../registry/download.ts';
import type { StoredManifest } from '../registry/manifest-cache.ts';
import type { Route } from '../registry/resolve-route.ts';
import { Occasional } from '../telemetry/occasional.ts';
import type { RegistryEvents } from './observers.ts';

/* What clients and upstreams do with content, as events. */

type Teller = Pick<Notifications, 'hears' | 'wants' | 'tell' | 'record'>;

const blobType = 'application/octet-stream';

/** Milliseconds between two events about one image that is held back: its clients try again and again. */
const holdInterval = 60_000;

/** Counts what clients pull. */
interface PullCounter {
  readonly isOn: boolean;
  pulled(repository: QualifiedName, reference: string, digest: Digest): void;
}

/** Tells of pulls, and of images that nobody has judged yet, besides. */
export function tellingOfPulls(
  observer: HttpObserver,
  events: Teller,
  use: PullCounter,
): HttpObserver {
  const occasional = new Occasional(holdInterval);
  return {
    requestEnded(summary) {
      observer.requestEnded(summary);
      const { context, method, status } = summary;
      if (use.isOn) countPull(context, use);
      if (events.hears('pull') && status === 200 && method === 'GET' && context.complete) {
        tellOfPull(summary, events);
      }
      if (context.held?.kind === 'unknown')
        tellOfHold(summary, context.held.manifest, events, occasional);
    },
    requestFailed: (context, error) => observer.requestFailed(context, error),
  };
}

/** A manifest that was answered, to a HEAD as well; hosted ones are always here. */
function countPull({ route, reference, manifest }: RequestContext, use: PullCounter): void {
  if (manifest === undefined || reference === undefined) return;
  if (route === undefined || route.via === 'hosted') return;
  use.pulled(route.key, reference, manifest.digest);
}

function tellOfPull(summary: RequestSummary, events: Teller): void {
  const { context } = summary;
  const { route, manifest, blob } = context;
  const digest = manifest?.digest ?? blob;
  if (route === undefined || digest === undefined) return;
  const kind = manifest === undefined ? 'blob' : 'manifest';
  const repository = repositoryOf(route);
  if (!events.wants({ action: 'pull', kind, repository })) return;
  events.tell({
    ...requestPart(summary, context, kind, digest),
    action: 'pull',
    kind,
    at: Date.now(),
    repository,
    digest,
    mediaType: manifest?.mediaType ?? blobType,
    size: manifest?.bytes.length ?? context.bytes,
    tag: tagOf(context.reference),
  });
}

function tellOfHold(
  summary: RequestSummary,
  manifest: StoredManifest,
  events: Teller,
  occasional: Occasional,
): void {
  const { context } = summary;
  const { route } = context;
  if (route === undefined) return;
  const part = manifestPart(route, manifest);
  if (!events.wants({ ...part, action: 'hold' })) return;
  if (occasional.admit(`${part.repository}@${manifest.digest}`) === undefined) return;
  events.tell({
    ...part,
    ...requestPart(summary, context, 'manifest', manifest.digest),
    action: 'hold',
    at: Date.now(),
    tag: tagOf(context.reference),
  });
}

/** Tells of what clients push, mount and delete: it is on disk before they hear that it is done. */
export function createChangeObserver(
  events: Teller,
  blobs: Content<Route>['blobs'],
): ChangeObserver {
  return {
    async changed(change) {
      const { action, kind, context, digest, mediaType, tag, bytes, from } = change;
      const repository = repositoryOf(change.route);
      if (!events.wants({ action, kind, repository })) return;
      await events.record({
        ...requestPart(change, context, kind, digest),
        action,
        kind,
        at: Date.now(),
        repository,
        digest,
        mediaType: mediaType ?? (kind === 'blob' ? blobType : undefined),
        size: bytes?.length ?? (await sizeOf(change, blobs)),
        tag,
        references: bytes && (() => referencesOf(bytes, mediaType)),
        fromRepository: from && repositoryOf(from),
      });
    },
  };
}

/** Of a blob that is there; nobody's push fails because it cannot be told. */
async function sizeOf(
  { action, kind, route, digest }: ContentChange,
  blobs: Content<Route>['blobs'],
): Promise<number | undefined> {
  if (kind !== 'blob' || action === 'delete' || digest === undefined) return undefined;
  const found = await blobs.stat(route, digest).catch(() => undefined);
  return found?.size;
}

/** Tells of what is new here from an upstream, besides. */
export function tellingOfNews(
  observer: Omit<RegistryEvents, 'cached'>,
  events: Teller,
): RegistryEvents {
  return {
    ...observer,
    cached(route, reference, manifest) {
      events.tell({
        ...manifestPart(route, manifest),
        action: 'cache',
        at: Date.now(),
        tag: tagOf(reference),
      });
    },
    downloadEnded(download) {
      observer.downloadEnded(download);
      if (download.state === 'committed') tellOfBlob(download, events);
    },
  };
}

function tellOfBlob({ source, digest, blob }: Download, events: Teller): void {
  events.tell({
    action: 'cache',
    kind: 'blob',
    at: Date.now(),
    repository: `${source.upstream.name}/${source.repository}`,
    digest,
    mediaType: blobType,
    size: blob.size,
  });
}

/** What every event of a manifest says of it. */
export function manifestPart(
  route: Route,
  { digest, mediaType, bytes }: StoredManifest,
): Pick<ContentEvent, 'repository' | 'digest' | 'mediaType' | 'size' | 'references'> & {
  kind: 'manifest';
} {
  return {
    kind: 'manifest',
    repository: repositoryOf(route),
    digest,
    mediaType,
    size: bytes.length,
    references: () => referencesOf(bytes, mediaType),
  };
}

/** What every event that a request has caused says of the request. */
export function requestPart(
  facts: RequestFacts,
  { id, caller }: RequestContext,
  kind: 'manifest' | 'blob',
  digest: Digest | undefined,
): Pick<ContentEvent, 'url' | 'request' | 'account'> {
  const { method, remote, userAgent, host } = facts;
  return {
    url: digest && contentUrl(facts, kind, digest),
    request: { id, addr: remote, host, method, useragent: userAgent },
    account: caller.account === anonymous.account ? undefined : caller.account,
  };
}

/** As rules and receivers name it: behind its upstream's name, or bare where it is hosted. */
export function repositoryOf(route: Route): string {
  return route.via === 'hosted' ? route.repository : route.key;
}

export function tagOf(reference: string | undefined): string | undefined {
  return reference === undefined || isDigest(reference) ? undefined : reference;
}

/** What a manifest points to. It was read before, so it can be; but an event must fail nobody. */
export function referencesOf(bytes: Buffer, mediaType: string | undefined): readonly Descriptor[] {
  try {
    const { manifests, blobs } = parseManifest(bytes, mediaType);
    return [...manifests, ...blobs];
  } catch {
    return [];
  }
}
