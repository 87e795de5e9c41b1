import type { IncomingHttpHeaders } from 'node:http';
import { isDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { bareMediaType } from '../oci/media-type.ts';
import type { ResumePoint } from './upstream.ts';
import { parseContentLength, parseContentRange } from './content-range.ts';

/** The status and headers of an answer, and who gave it, for messages. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly upstream: string;
  readonly host: string;
}

/** What a blob's headers promise. */
export interface BlobPromise {
  /** Of the whole blob. */
  readonly size: number | undefined;
  /** Where the body starts in it. */
  readonly offset: number;
  /** Bytes of the body. */
  readonly length: number | undefined;
  readonly etag: string | undefined;
}

/**
 * Refuses what no registry sends in place of content: an HTML page (a captive portal, a login, an
 * error with status 200), or bytes encoded against what we asked for.
 * @throws RegistryError UPSTREAM_INVALID
 */
export function checkContent(head: AnswerHead): void {
  const type = bareMediaType(head.headers['content-type']);
  if (type === 'text/html' || type === 'application/xhtml+xml') {
    throw invalid(head, 'an HTML page in place of content: is there a proxy or portal between?');
  }
  const encoding = head.headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (encoding !== '' && encoding !== 'identity') {
    throw invalid(head, 'encoded content, which was not asked for');
  }
}

/**
 * Reads the head of a blob's answer, of status 200 or 206.
 * @throws RegistryError UPSTREAM_INVALID where it does not fit the question
 */
export function readBlobHead(head: AnswerHead, resume: ResumePoint | undefined): BlobPromise {
  checkContent(head);
  const { status, headers } = head;
  const etag = strongEtag(headers.etag);
  const length = parseContentLength(headers['content-length']);
  if (status === 200) return { size: length, offset: 0, length, etag };
  const range = parseContentRange(headers['content-range']);
  const wanted = resume?.offset ?? 0;
  if (wanted === 0) throw invalid(head, 'a part where the whole was asked for');
  if (range?.first !== wanted || range.last === undefined) {
    throw invalid(head, `another range than from byte ${wanted} on`);
  }
  const { size, last } = range;
  // A part that ends before the blob does is taken for a broken transfer: the caller resumes again.
  return { size, offset: wanted, length: (size ?? last + 1) - wanted, etag };
}

/**
 * The size of a blob from the answer to its HEAD, or to a GET of its first byte; 416 is the right
 * answer to the latter where the blob has none.
 */
export function readBlobSize(head: AnswerHead): number | undefined {
  if (head.status === 200) {
    checkContent(head);
    return parseContentLength(head.headers['content-length']);
  }
  return parseContentRange(head.headers['content-range'])?.size;
}

/** The digest that a registry claims; undefined where it claims none, or one that cannot be. */
export function readDigest(headers: IncomingHttpHeaders): Digest | undefined {
  const digest = headers['docker-content-digest'];
  return typeof digest === 'string' && isDigest(digest) ? digest : undefined;
}

/** Only a strong validator may stand in If-Range (RFC 9110, section 13.1.5). */
export function strongEtag(etag: string | undefined): string | undefined {
  return etag !== undefined && /^"[\x21\x23-\x7e]*"$/.test(etag) ? etag : undefined;
}

/** The failure of an answer that cannot be right. */
export function invalid(head: AnswerHead, what: string): RegistryError {
  const message = `${head.upstream}: ${head.host} sent ${what}`;
  return new RegistryError('UPSTREAM_INVALID', message, { upstreamStatus: head.status });
}
