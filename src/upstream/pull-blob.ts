import type { Digest } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { invalid, readBlobHead, readBlobSize, strongEtag } from './answer-check.ts';
import { answerFailure, headOf } from './answer-failure.ts';
import { BlobBody } from './blob-body.ts';
import type { Endpoint } from './endpoint.ts';
import { discard, type Answer, type OutgoingRequest } from './transport.ts';
import type { FetchedBlob, ResumePoint } from './upstream.ts';

/**
 * Statuses by which a HEAD is refused where a GET is not: public ECR says 401, and a URL signed for
 * a GET says 403.
 */
const headRefused: ReadonlySet<number> = new Set([400, 401, 403, 405, 501]);

/** Upstream.statBlob at one URL. */
export async function headBlob(
  endpoint: Endpoint,
  repository: RepositoryName,
  digest: Digest,
  signal: AbortSignal,
): Promise<{ size: number | undefined }> {
  const { upstream } = endpoint;
  const url = endpoint.locate(repository, `blobs/${digest}`);
  let request: OutgoingRequest = { kind: 'blob', method: 'HEAD', url, headers: {} };
  let { answer } = await endpoint.pull(repository, request, signal);
  if (headRefused.has(answer.status)) {
    discard(answer);
    request = { ...request, method: 'GET', headers: { range: 'bytes=0-0' } };
    answer = await getFresh(endpoint, repository, request, signal);
  }
  if (!tellsSize(answer, upstream)) {
    const subject = `${repository}@${digest}`;
    throw await answerFailure(answer, request, upstream, subject, signal);
  }
  discard(answer);
  return { size: readBlobSize(headOf(answer, upstream)) };
}

/** Upstream.fetchBlob at one URL. */
export async function getBlob(
  endpoint: Endpoint,
  repository: RepositoryName,
  digest: Digest,
  resume: ResumePoint | undefined,
  signal: AbortSignal,
): Promise<FetchedBlob> {
  const { upstream } = endpoint;
  const url = endpoint.locate(repository, `blobs/${digest}`);
  const headers = rangeHeaders(resume);
  const request: OutgoingRequest = { kind: 'blob', method: 'GET', url, headers, bulk: true };
  const answer = await getFresh(endpoint, repository, request, signal);
  if (answer.status !== 200 && answer.status !== 206) {
    const subject = `${repository}@${digest}`;
    throw await answerFailure(answer, request, upstream, subject, signal);
  }
  try {
    const head = headOf(answer, upstream);
    const { length, ...promised } = readBlobHead(head, resume);
    const { size = 0, offset } = promised;
    const { blob: most } = answer.limits;
    if (size > most) throw invalid(head, `a blob of more than ${most} bytes (max_blob_size)`);
    const body = new BlobBody(answer, { expected: length, most: most - offset }, upstream, signal);
    return { ...promised, body };
  } catch (error) {
    discard(answer);
    throw error;
  }
}

/** A signed URL may expire between the registry's redirect and our request: one more try, from the start. */
async function getFresh(
  endpoint: Endpoint,
  repository: RepositoryName,
  request: OutgoingRequest,
  signal: AbortSignal,
): Promise<Answer> {
  const { answer, crossed } = await endpoint.pull(repository, request, signal);
  if (!crossed || (answer.status !== 401 && answer.status !== 403)) return answer;
  discard(answer);
  return (await endpoint.pull(repository, request, signal)).answer;
}

/** A blob without bytes has no first one: 416 with a size of 0 is the right answer then. */
function tellsSize(answer: Answer, upstream: string): boolean {
  if (answer.status === 200 || answer.status === 206) return true;
  return answer.status === 416 && readBlobSize(headOf(answer, upstream)) === 0;
}

function rangeHeaders(resume: ResumePoint | undefined): Record<string, string> {
  if (resume === undefined || resume.offset === 0) return {};
  const etag = strongEtag(resume.etag);
  const range = { range: `bytes=${resume.offset}-` };
  return etag === undefined ? range : { ...range, 'if-range': etag };
}
