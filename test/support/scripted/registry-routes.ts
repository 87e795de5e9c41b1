import type { ServerResponse } from 'node:http';
import type { Digest } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/media-type.ts';
import { descriptorOf } from '../images.ts';
import type { Cdn } from './cdn.ts';
import type { Fault } from './fault.ts';
import type { SeenRequest } from './loopback-server.ts';
import type { Repository } from './repositories.ts';
import { sendContent, type SendOptions } from './send-content.ts';

/** A request that found its repository, and all that bears on its answer. */
export interface Routed {
  readonly seen: SeenRequest;
  readonly answer: ServerResponse;
  readonly repository: Repository;
  readonly fault: Fault;
  readonly send: SendOptions;
}

/** `manifests/<reference>`. */
export async function answerManifest(routed: Routed, reference: string): Promise<void> {
  const { seen, answer, repository, fault, send } = routed;
  const digest = repository.tags.get(reference) ?? (reference as Digest);
  const manifest = repository.manifests.get(digest);
  if (manifest === undefined) sendError(answer, 404, 'MANIFEST_UNKNOWN');
  else await sendContent(seen, answer, manifest, fault, send);
}

/** `blobs/<digest>`, from here or by way of the CDN. */
export async function answerBlob(
  routed: Routed,
  digest: string,
  options: { readonly cdn: Cdn | undefined; readonly refuseHead: number | undefined },
): Promise<void> {
  const { seen, answer, repository, fault, send } = routed;
  const blob = repository.blobs.get(digest as Digest);
  if (seen.method === 'HEAD' && options.refuseHead !== undefined) {
    answer.writeHead(options.refuseHead).end();
  } else if (blob === undefined) {
    sendError(answer, 404, 'BLOB_UNKNOWN');
  } else if (options.cdn !== undefined) {
    answer.writeHead(307, { location: options.cdn.sign(blob) }).end();
  } else {
    const bytes = { ...blob, mediaType: 'application/octet-stream' };
    await sendContent(seen, answer, bytes, fault, send);
  }
}

/** `tags/list`, by pages. */
export function answerTags({ seen, answer, repository }: Routed, pageSize: number): void {
  const last = seen.query.get('last') ?? '';
  const rest = [...repository.tags.keys()].toSorted().filter((tag) => tag > last);
  const size = Math.min(pageSize, Number(seen.query.get('n') ?? Infinity));
  const page = rest.slice(0, size);
  if (page.length < rest.length) {
    const next = new URLSearchParams({ n: String(size), last: page.at(-1) ?? '' }).toString();
    answer.setHeader('link', `<${seen.path}?${next}>; rel="next"`);
  }
  const name = seen.path.slice('/v2/'.length, -'/tags/list'.length);
  sendJson(answer, { name, tags: page });
}

/** `referrers/<digest>`, by pages. */
export function answerReferrers(
  { seen, answer, repository }: Routed,
  subject: string,
  pageSize: number,
): void {
  const all = (repository.referrers.get(subject as Digest) ?? []).map((manifest) => {
    const { artifactType, annotations } = JSON.parse(manifest.bytes.toString()) as {
      artifactType: string;
      annotations: Record<string, string>;
    };
    return { ...descriptorOf(manifest), artifactType, annotations };
  });
  const page = Number(seen.query.get('page') ?? 0);
  const from = page === 0 ? 0 : page * pageSize;
  if (from + pageSize < all.length) {
    answer.setHeader('link', `<${seen.path}?page=${String(page + 1)}>; rel="next"`);
  }
  const manifests = all.slice(from, from + pageSize);
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  sendJson(answer, document, mediaTypes.ociIndex);
}

export function sendJson(
  answer: ServerResponse,
  document: object,
  type = 'application/json',
): void {
  answer.writeHead(200, { 'content-type': type }).end(JSON.stringify(document));
}

/** An error as the distribution specification writes them. */
export function sendError(answer: ServerResponse, status: number, code: string): void {
  const body = JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] });
  answer.writeHead(status, { 'content-type': 'application/json' }).end(body);
}
