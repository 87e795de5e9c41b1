import { RegistryError } from '../oci/errors.ts';
import { redactUrl } from './redact.ts';
import { discard, type Answer, type OutgoingRequest } from './transport.ts';

/** Hops after the first request. */
const maxHops = 5;

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What must not reach an origin it was not meant for. */
const secretHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
]);

export interface Followed {
  readonly answer: Answer;
  /** A redirect led to another origin, which saw no credential. */
  readonly crossed: boolean;
}

/**
 * Sends a GET or HEAD and follows its redirects: at most 5, never from https to http, never round
 * in a circle. As soon as the origin changes all credentials are dropped, for good.
 * @throws RegistryError UPSTREAM_INVALID for a redirect that must not be followed, or what `send` throws
 */
export async function follow(
  send: (request: OutgoingRequest, signal: AbortSignal) => Promise<Answer>,
  request: OutgoingRequest,
  signal: AbortSignal,
): Promise<Followed> {
  const seen = new Set([request.url.href]);
  let current = request;
  let crossed = false;
  for (;;) {
    const answer = await send(current, signal);
    if (!redirects.has(answer.status)) return { answer, crossed };
    discard(answer);
    if (seen.size > maxHops) throw invalid(request.url, `more than ${maxHops} redirects`);
    const url = nextHop(current.url, answer.headers.location);
    if (seen.has(url.href)) throw invalid(current.url, 'its redirects form a circle');
    seen.add(url.href);
    if (url.origin !== current.url.origin) crossed = true;
    current = {
      ...current,
      url,
      headers: crossed ? withoutSecrets(current.headers) : current.headers,
    };
  }
}

/**
 * Where a redirect leads (RFC 9110, section 10.2.2: the location may be relative).
 * @throws RegistryError UPSTREAM_INVALID
 */
export function nextHop(from: URL, location: string | undefined): URL {
  const to = location === undefined ? null : URL.parse(location, from.href);
  if (to === null) throw invalid(from, 'its redirect leads nowhere');
  if (to.protocol !== 'https:' && !(to.protocol === 'http:' && from.protocol === 'http:')) {
    throw invalid(from, `its redirect leads from ${from.protocol} to ${to.protocol}`);
  }
  if (to.username !== '' || to.password !== '') {
    throw invalid(from, 'its redirect holds a password');
  }
  to.hash = '';
  return to;
}

function withoutSecrets(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !secretHeaders.has(name)));
}

function invalid(url: URL, what: string): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', `${redactUrl(url)}: ${what}`);
}
