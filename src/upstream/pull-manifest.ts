import { digestOf } from '../oci/digest.ts';
import { maxManifestSize } from '../oci/manifest.ts';
import { bareMediaType, manifestAccept } from '../oci/media-type.ts';
import type { Reference } from '../oci/reference.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { checkContent, readDigest } from './answer-check.ts';
import { answerFailure, headOf } from './answer-failure.ts';
import { parseContentLength } from './content-range.ts';
import type { Endpoint } from './endpoint.ts';
import { discard, readBody, type OutgoingRequest } from './transport.ts';
import type { FetchedManifest, ResolvedManifest } from './upstream.ts';

/** Upstream.resolve at one URL; where HEAD is not implemented, the GET tells as much. */
export async function headManifest(
  endpoint: Endpoint,
  repository: RepositoryName,
  reference: Reference,
  signal: AbortSignal,
): Promise<ResolvedManifest> {
  const request = manifestRequest(endpoint, 'HEAD', repository, reference);
  const { answer } = await endpoint.pull(repository, request, signal);
  if (answer.status === 405 || answer.status === 501) {
    discard(answer);
    const { bytes, contentType } = await getManifest(endpoint, repository, reference, signal);
    const mediaType = bareMediaType(contentType);
    return { digest: digestOf(bytes), mediaType, size: bytes.length };
  }
  if (answer.status !== 200) {
    const subject = subjectOf(repository, reference);
    throw await answerFailure(answer, request, endpoint.upstream, subject, signal);
  }
  discard(answer);
  checkContent(headOf(answer, endpoint.upstream));
  return {
    digest: readDigest(answer.headers),
    mediaType: bareMediaType(answer.headers['content-type']),
    size: parseContentLength(answer.headers['content-length']),
  };
}

/** Upstream.fetchManifest at one URL. */
export async function getManifest(
  endpoint: Endpoint,
  repository: RepositoryName,
  reference: Reference,
  signal: AbortSignal,
): Promise<FetchedManifest> {
  const { upstream } = endpoint;
  const request = manifestRequest(endpoint, 'GET', repository, reference);
  const { answer } = await endpoint.pull(repository, request, signal);
  if (answer.status !== 200) {
    const subject = subjectOf(repository, reference);
    throw await answerFailure(answer, request, upstream, subject, signal);
  }
  try {
    checkContent(headOf(answer, upstream));
  } catch (error) {
    discard(answer);
    throw error;
  }
  const bytes = await readBody(answer, maxManifestSize, upstream, signal);
  const { headers } = answer;
  return { bytes, contentType: headers['content-type'], digest: readDigest(headers) };
}

function manifestRequest(
  endpoint: Endpoint,
  method: 'GET' | 'HEAD',
  repository: RepositoryName,
  reference: Reference,
): OutgoingRequest {
  const url = endpoint.locate(repository, `manifests/${reference}`);
  return { kind: 'manifest', method, url, headers: { accept: manifestAccept } };
}

function subjectOf(repository: RepositoryName, reference: Reference): string {
  return `${repository}${reference.includes(':') ? '@' : ':'}${reference}`;
}
