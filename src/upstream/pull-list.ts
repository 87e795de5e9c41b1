import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { mediaTypes } from '../oci/media-type.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { answerFailure, headOf } from './answer-failure.ts';
import type { Endpoint } from './endpoint.ts';
import { nextPage } from './link.ts';
import { readReferrers, readTags } from './lists.ts';
import { discard, readBody, type Answer, type OutgoingRequest } from './transport.ts';

/** Bytes of one page: some registries know no pages. */
const maxPage = 16 * 1024 * 1024;
const maxPages = 1000;
/** Entries of a list; beyond them it is cut off, with a warning. */
const maxEntries = 200_000;
/** Statuses by which registries tell that they lack an API. */
const noSuchApi: ReadonlySet<number> = new Set([404, 405, 501]);

/** Upstream.listTags at one URL. */
export async function getTags(
  endpoint: Endpoint,
  repository: RepositoryName,
  signal: AbortSignal,
): Promise<string[]> {
  const url = endpoint.locate(repository, 'tags/list?n=1000');
  const request: OutgoingRequest = { kind: 'tags', method: 'GET', url, headers: {} };
  const tags: string[] = [];
  for await (const answer of pages(endpoint, repository, request, signal)) {
    const body = await readPage(answer, request, endpoint, repository, signal);
    for (const tag of readTags(body, headOf(answer, endpoint.upstream))) tags.push(tag);
    if (isFull(tags, request, endpoint, repository)) break;
  }
  return tags.slice(0, maxEntries);
}

/** Upstream.listReferrers at one URL. */
export async function getReferrers(
  endpoint: Endpoint,
  repository: RepositoryName,
  subject: Digest,
  signal: AbortSignal,
): Promise<Descriptor[] | undefined> {
  const url = endpoint.locate(repository, `referrers/${subject}`);
  const headers = { accept: mediaTypes.ociIndex };
  const request: OutgoingRequest = { kind: 'referrers', method: 'GET', url, headers };
  const referrers: Descriptor[] = [];
  for await (const answer of pages(endpoint, repository, request, signal)) {
    if (noSuchApi.has(answer.status)) {
      discard(answer);
      return undefined;
    }
    const body = await readPage(answer, request, endpoint, repository, signal);
    const page = readReferrers(body, headOf(answer, endpoint.upstream));
    if (page === undefined) return undefined;
    for (const descriptor of page) referrers.push(descriptor);
    if (isFull(referrers, request, endpoint, repository)) break;
  }
  return referrers.slice(0, maxEntries);
}

/** Every page of a list; the consumer reads or discards each answer before it goes on. */
async function* pages(
  endpoint: Endpoint,
  repository: RepositoryName,
  request: OutgoingRequest,
  signal: AbortSignal,
): AsyncGenerator<Answer> {
  const seen = new Set<string>();
  let url: URL | undefined = request.url;
  while (url !== undefined && !seen.has(url.href) && seen.size < maxPages) {
    seen.add(url.href);
    const { answer } = await endpoint.pull(repository, { ...request, url }, signal);
    yield answer;
    url = nextPage(url, answer.headers.link);
  }
  if (url !== undefined) {
    endpoint.warn(`the ${request.kind} of ${repository} were cut off after ${seen.size} pages`);
  }
}

async function readPage(
  answer: Answer,
  request: OutgoingRequest,
  { upstream }: Endpoint,
  repository: RepositoryName,
  signal: AbortSignal,
): Promise<Buffer> {
  if (answer.status !== 200) {
    throw await answerFailure(answer, request, upstream, repository, signal);
  }
  return readBody(answer, maxPage, upstream, signal);
}

function isFull(
  entries: readonly unknown[],
  { kind }: OutgoingRequest,
  endpoint: Endpoint,
  repository: RepositoryName,
): boolean {
  if (entries.length < maxEntries) return false;
  endpoint.warn(`the ${kind} of ${repository} were cut off after ${maxEntries}`);
  return true;
}
