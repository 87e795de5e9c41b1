import { RegistryError } from '../oci/errors.ts';
import { quote } from './redact.ts';

/** The code of a wait for a connection, all of which other requests kept busy, that took too long. */
export const noConnectionFree = 'BALEEN_NO_CONNECTION_FREE';

const timeouts: ReadonlySet<string> = new Set([
  noConnectionFree,
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

const trustHint = 'if its certificate is right, name its authority in the option ca';

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name does not resolve (DNS)',
  EAI_AGAIN: 'its name cannot be resolved just now (DNS)',
  ECONNREFUSED: 'it refused the connection',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  ETIMEDOUT: 'no connection in time',
  UND_ERR_SOCKET: 'the connection was closed',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'its answer stopped flowing',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'its answer ended early',
  EMFILE: 'this process has too many files open',
  ENFILE: 'this machine has too many files open',
  ENOMEM: 'this machine is out of memory',
  ENOBUFS: 'this machine is out of network buffers',
  EADDRNOTAVAIL: 'this machine has no free port left',
  [noConnectionFree]: 'no connection to it came free in time (upstreams.*.connections)',
  UND_ERR_DESTROYED: 'the client was closed',
  UND_ERR_CLOSED: 'the client was closed',
  CERT_HAS_EXPIRED: 'its TLS certificate has expired',
  CERT_NOT_YET_VALID: 'its TLS certificate is not valid yet: is the clock right?',
  DEPTH_ZERO_SELF_SIGNED_CERT: `its TLS certificate is self-signed: ${trustHint}`,
  SELF_SIGNED_CERT_IN_CHAIN: `its TLS authority is not trusted: ${trustHint}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `its TLS authority is not trusted: ${trustHint}`,
  UNABLE_TO_GET_ISSUER_CERT: `its TLS authority is not trusted: ${trustHint}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: `its TLS authority is not trusted: ${trustHint}`,
  ERR_TLS_CERT_ALTNAME_INVALID: 'its TLS certificate is for another name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS: is it an http:// registry?',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS: is it an http:// registry?',
  EPROTO: 'the TLS handshake failed',
};

/** Whether a failure is a deadline that ran out, ours or the system's. */
export function isTimeout(error: unknown): boolean {
  return timeouts.has(codeOf(error)) || (error as Error | undefined)?.name === 'TimeoutError';
}

/** Causes on this side of the connection. */
const localCodes: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOBUFS',
  'EADDRNOTAVAIL',
  noConnectionFree,
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
]);

/** Whether a failure is our own machine's or process's, of which the upstream knows nothing. */
export function isLocal(error: unknown): boolean {
  const { cause } = Object(error) as { cause?: unknown };
  return localCodes.has(codeOf(error)) || (cause !== undefined && isLocal(cause));
}

/**
 * What a failed connection or a broken transfer means, in words that say what to do.
 * @param host as in the URL; never more of the URL than that
 */
export function networkError(error: unknown, upstream: string, host: string): RegistryError {
  if (error instanceof RegistryError) return error;
  const code = codeOf(error);
  if (isTimeout(error)) {
    const reason = reasons[code] ?? 'no answer in time';
    return new RegistryError('UPSTREAM_TIMEOUT', `${upstream}: ${host}: ${reason}`, {
      cause: error,
      upstreamHost: host,
    });
  }
  if (isProtocolError(error, code)) {
    const message = `${upstream}: ${host} does not speak proper HTTP`;
    return new RegistryError('UPSTREAM_INVALID', message, { cause: error, upstreamHost: host });
  }
  const reason = reasons[code] ?? quote(error instanceof Error ? error.message : String(error));
  return new RegistryError('UPSTREAM_UNAVAILABLE', `${upstream}: ${host}: ${reason}`, {
    cause: error,
    upstreamHost: host,
  });
}

/** The parser's errors have a code for some faults, and only their name for others. */
function isProtocolError(error: unknown, code: string): boolean {
  const { name } = Object(error) as { name?: unknown };
  return name === 'HTTPParserError' || code === 'UND_ERR_HEADERS_OVERFLOW';
}

/** Whether a request was never sent, since all connections to its host are taken. */
export function isCrowded(error: unknown): boolean {
  return error instanceof RegistryError && codeOf(error.cause) === noConnectionFree;
}

/** The code of an error; of several addresses tried in vain, the first one's. */
function codeOf(error: unknown): string {
  const { code, errors } = Object(error) as { code?: unknown; errors?: unknown };
  if (typeof code === 'string') return code;
  return Array.isArray(errors) && errors.length > 0 ? codeOf(errors[0]) : '';
}
