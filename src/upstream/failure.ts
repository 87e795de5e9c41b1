import type { IncomingHttpHeaders } from 'node:http';
import { RegistryError, type ErrorCode } from '../oci/errors.ts';
import type { RequestKind } from './observer.ts';
import { parseRetryAfter } from './rate-limit.ts';
import { quote } from './redact.ts';

/** An answer that is not what was asked for. */
export interface FailedAnswer {
  readonly upstream: string;
  readonly host: string;
  readonly kind: RequestKind;
  /** What was asked for, such as `library/alpine:3`. */
  readonly subject: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** As much of the body as was read; empty for a HEAD. */
  readonly body: Buffer;
}

/**
 * What a status other than success means.
 * @param now milliseconds since the epoch, for a Retry-After that is a date
 */
export function statusError(failed: FailedAnswer, now: number): RegistryError {
  const { upstream, host, kind, subject, status, headers, body } = failed;
  const said = parseErrors(body);
  const quoted = said.message === '' ? '' : `: ${quote(said.message)}`;
  const message = `${upstream}: ${host} answered ${status} for ${kind} ${subject}${quoted}`;
  const retryAfter = parseRetryAfter(headers['retry-after'], now);
  return new RegistryError(codeFor(status, kind, said.code), message, {
    upstreamStatus: status,
    upstreamHost: host,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

function codeFor(status: number, kind: RequestKind, said: string): ErrorCode {
  if (status === 401 || status === 403) return 'UPSTREAM_DENIED';
  if (status === 429) return 'TOOMANYREQUESTS';
  if (status === 408 || status === 504) return 'UPSTREAM_TIMEOUT';
  if (status >= 500) return 'UPSTREAM_UNAVAILABLE';
  if (status !== 404 || kind === 'ping' || kind === 'token') return 'UPSTREAM_INVALID';
  if (said === 'NAME_UNKNOWN') return 'NAME_UNKNOWN';
  if (kind === 'blob') return 'BLOB_UNKNOWN';
  return kind === 'tags' ? 'NAME_UNKNOWN' : 'MANIFEST_UNKNOWN';
}

/**
 * The code and message of an error body: the specification's form, the token servers'
 * (`{"details"}`, `{"error_description"}`), or text as it is. Markup is worth no quote.
 */
function parseErrors(body: Buffer): { code: string; message: string } {
  const text = body.toString('utf8').trim();
  if (text.startsWith('<')) return { code: '', message: '' };
  let document: Record<string, unknown>;
  try {
    document = Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return { code: '', message: text };
  }
  const errors = document['errors'];
  const first = Object(Array.isArray(errors) ? errors[0] : document) as Record<string, unknown>;
  const { code, message, details, error_description: description, error } = first;
  const texts = [message, details, description, error, code];
  return {
    code: typeof code === 'string' ? code : '',
    message: texts.find((value): value is string => typeof value === 'string') ?? '',
  };
}
