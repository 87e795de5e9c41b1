import { mediaTypes } from '../../src/oci/media-type.ts';
import { digestOf, type DigestAlgorithm } from '../../src/oci/digest.ts';
import { content, descriptorOf, layerOf, type Content, type Image } from '../support/images.ts';
import type { Answer, RegistryClient } from './registry-client.ts';
import { uploads } from './blob-uploads.ts';

/** Pushes blobs, and gives them. */
export async function pushBlobs(
  client: RegistryClient,
  repository: string,
  ...blobs: readonly Content[]
): Promise<void> {
  for (const { bytes, digest } of blobs) {
    await uploads['with a POST and a PUT']!(client, repository, bytes, digest);
  }
}

/** Puts a manifest under a tag or a digest. */
export async function putManifest(
  client: RegistryClient,
  repository: string,
  reference: string,
  { bytes, mediaType }: Pick<Content, 'bytes' | 'mediaType'>,
): Promise<Answer> {
  return client.send('PUT', `/v2/${repository}/manifests/${reference}`, {
    headers: { 'content-type': mediaType },
    body: bytes,
  });
}

/** Pushes an image with all it points to, by its digest. */
export async function pushImage(
  client: RegistryClient,
  repository: string,
  { manifest, children, blobs }: Image,
  reference: string = manifest.digest,
): Promise<void> {
  await pushBlobs(client, repository, ...blobs);
  for (const each of children) await putManifest(client, repository, each.digest, each);
  const { status, body } = await putManifest(client, repository, reference, manifest);
  if (status !== 201) throw new Error(`${String(status)} ${body.toString()}`);
}

let seed = 70_000;

/** A layer that is like no other. */
export function freshLayer(algorithm: DigestAlgorithm = 'sha256'): Content {
  return under(algorithm, layerOf(512, (seed += 1)));
}

/** The same content under a digest of another algorithm. */
export function under(algorithm: DigestAlgorithm, { bytes, mediaType }: Content): Content {
  return { bytes, mediaType, digest: digestOf(bytes, algorithm) };
}

/** What differs from a plain image of one layer. */
export interface Shape {
  readonly algorithm?: DigestAlgorithm;
  readonly layers?: readonly Content[];
  readonly config?: Content;
  /** Members laid over those of the document. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** An image that was never pushed before, written in some shape. */
export function freshImage(shape: Shape = {}): Image {
  const { algorithm = 'sha256', layers = [freshLayer(algorithm)], more } = shape;
  const config = shape.config ?? freshConfig(algorithm);
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptorOf(config),
    layers: layers.map(descriptorOf),
    ...more,
  };
  return { manifest: written(document, algorithm), children: [], blobs: [config, ...layers] };
}

/** An index over images. */
export function freshIndex(
  images: readonly Image[],
  { algorithm = 'sha256', more }: Pick<Shape, 'algorithm' | 'more'> = {},
): Image {
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: images.map(({ manifest }) => descriptorOf(manifest)),
    ...more,
  };
  return {
    manifest: written(document, algorithm),
    children: images.flatMap(({ manifest, children }) => [...children, manifest]),
    blobs: images.flatMap(({ blobs }) => blobs),
  };
}

function freshConfig(algorithm: DigestAlgorithm): Content {
  const config = { architecture: 'amd64', os: 'linux', author: String((seed += 1)) };
  const type = 'application/vnd.oci.image.config.v1+json';
  return under(algorithm, content(Buffer.from(JSON.stringify(config)), type));
}

/** Indented, as no client would write it: what comes back has to be the very bytes. */
function written(document: { mediaType: string }, algorithm: DigestAlgorithm): Content {
  const bytes = Buffer.from(`${JSON.stringify(document, undefined, 3)}\n`);
  return under(algorithm, content(bytes, document.mediaType));
}
