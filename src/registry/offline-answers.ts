import { LRUCache } from 'lru-cache';
import type { Digest } from '../oci/digest.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import { imageName } from '../oci/image-reference.ts';
import { isDigestReference, isReferrersTag, type Reference } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import { ImageGraph, type GraphSource } from './image-graph.ts';
import type { Sighting } from './missing-images.ts';
import type { ProxiedRoute } from './resolve-route.ts';

export interface OfflineAnswersOptions extends GraphSource {
  /** Told of each image that was asked for and is not here, or not all of it. */
  readonly missed: (sighting: Sighting) => void;
}

/** Images noted for one blob: bringing any of them brings it, but nobody knows which is meant. */
const maxImages = 5;

/** Tags that are told of one manifest: who knows it knows one of them. */
const maxTags = 5;

/** Repositories that are read for the sake of better words at the same time; more get plain words. */
const maxReadings = 4;

/** Repositories whose images are remembered, and for how many milliseconds: a pull asks for many blobs. */
const graphs = { max: 4, ttl: 10_000 };

/**
 * What clients are told of content that is not here where the upstream is offline by the
 * configuration: which image it is, as a person would write it, and what brings it. Under the
 * specification's own codes: podman tries again for seconds after any other, and signature
 * checkers take no other for "there is none".
 */
export class OfflineAnswers {
  readonly #options: OfflineAnswersOptions;
  readonly #graphs = new LRUCache<QualifiedName, Promise<ImageGraph | undefined>>(graphs);
  #readings = 0;

  constructor(options: OfflineAnswersOptions) {
    this.#options = options;
  }

  /** What a request for a manifest fails with, and notes it where it is for want of an upstream. */
  async ofManifest(route: ProxiedRoute, reference: Reference, error: unknown): Promise<unknown> {
    if (!isRegistryError(error, 'UPSTREAM_OFFLINE')) return error;
    const isElsewhere = strangerIn(route) !== undefined;
    const image = imageName(isElsewhere ? route.repository : route.key, reference);
    const sighting = { image, ...(await this.#aboutManifest(route.key, reference)) };
    // Clients look whether there is any: it is no image, and comes with its image's referrers.
    if (!isOfReferrers(reference)) this.#options.missed(sighting);
    return refusal('MANIFEST_UNKNOWN', `${describe(sighting)} is not here`, [image], route, error);
  }

  /** The same for a blob. It is noted as the images whose manifests name it. */
  async ofBlob(route: ProxiedRoute, blob: Digest, error: unknown): Promise<unknown> {
    if (!isRegistryError(error, 'UPSTREAM_OFFLINE')) return error;
    const graph = await this.#graphOfNamers(route.key, blob);
    const sightings = (graph?.namersOf(blob) ?? []).slice(0, maxImages).map((digest): Sighting => ({
      image: graph!.nameOf(digest),
      ...about(graph!, digest),
      blobs: [blob],
    }));
    for (const each of sightings) this.#options.missed(each);
    const [first] = sightings;
    const what =
      first === undefined
        ? `${blob} of ${route.key} is not here`
        : `${describe(first)} is here, but for its blob ${blob}`;
    const images = sightings.map(({ image }) => image);
    return refusal('BLOB_UNKNOWN', what, images, route, error);
  }

  async #aboutManifest(
    repository: QualifiedName,
    reference: Reference,
  ): Promise<Pick<Sighting, 'tags' | 'platform'>> {
    if (!isDigestReference(reference)) return {};
    const { catalog } = this.#options;
    // What no index here names is not worth a search.
    if ((await catalog.linked(repository, 'manifests', reference)) === undefined) return {};
    const graph = await this.#graphOf(repository);
    return graph === undefined ? {} : about(graph, reference);
  }

  async #graphOfNamers(repository: QualifiedName, blob: Digest): Promise<ImageGraph | undefined> {
    const member = await this.#options.catalog.linked(repository, 'blobs', blob);
    return member === undefined ? undefined : this.#graphOf(repository);
  }

  #graphOf(repository: QualifiedName): Promise<ImageGraph | undefined> {
    const known = this.#graphs.get(repository);
    if (known !== undefined) return known;
    if (this.#readings === maxReadings) return Promise.resolve(undefined);
    this.#readings += 1;
    const graph = ImageGraph.of(repository, this.#options)
      // What a disk refuses makes the answer poorer, and no other.
      .catch(() => undefined)
      .finally(() => (this.#readings -= 1));
    this.#graphs.set(repository, graph);
    return graph;
  }
}

function about(graph: ImageGraph, manifest: Digest): Pick<Sighting, 'tags' | 'platform'> {
  const platform = graph.platformOf(manifest);
  const tags = graph.tagsOf(manifest).slice(0, maxTags);
  return { tags, ...(platform !== undefined && { platform }) };
}

/** `name@sha256:… (linux/arm64 of name:1.27)` */
function describe({ image, tags = [], platform }: Sighting): string {
  const [tag, ...others] = tags;
  if (tag === undefined) return platform === undefined ? image : `${image} (${platform})`;
  const more = others.length === 0 ? '' : ' and others';
  return `${image} (${platform === undefined ? '' : `${platform} `}of ${tag}${more})`;
}

function refusal(
  toldAs: 'MANIFEST_UNKNOWN' | 'BLOB_UNKNOWN',
  what: string,
  images: readonly string[],
  route: ProxiedRoute,
  cause: RegistryError,
): RegistryError {
  const [image] = images;
  const stranger = strangerIn(route);
  const why =
    stranger === undefined
      ? `${route.remote.name} is configured offline`
      : `${stranger} is not among the upstreams (add it, with offline: true)`;
  const remedy =
    image === undefined
      ? ''
      : `: on the connected side run "baleen warm ${image}" and "baleen export", then "baleen import" here`;
  return new RegistryError('UPSTREAM_OFFLINE', `${what}, and ${why}${remedy}`, {
    toldAs,
    cause,
    detail: { images },
  });
}

/**
 * The registry that a client meant, where it is no upstream here: its name is taken for the front of one of
 * Docker Hub's, which have no dots there.
 */
function strangerIn({ remote, repository }: ProxiedRoute): string | undefined {
  const [front = ''] = repository.split('/');
  return remote.name === 'docker.io' && front.includes('.') ? front : undefined;
}

/** The tag that stands in for a referrers API, and those under which cosign puts what it signs with. */
function isOfReferrers(reference: Reference): boolean {
  return isReferrersTag(reference.replace(/\.(?:sig|att|sbom)$/, ''));
}
