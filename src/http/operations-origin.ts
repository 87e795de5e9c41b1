import { isIP } from 'node:net';
import type { RequestHandler } from 'express';
import { RegistryError } from '../oci/errors.ts';

/** Host names, in lower case and without a port. */
export type KnownHosts = ReadonlySet<string>;

/**
 * Refuses what a foreign page in an operator's browser may have sent: a request whose Origin is
 * not the server that it is sent to, and one to a host name that nobody gave this server. The
 * latter is what a page sees after its own name was made to point here (DNS rebinding).
 */
export function refuseForeign(known: KnownHosts): RequestHandler {
  return (request, _response, next) => {
    const { host, origin } = request.headers;
    const fault = foreignFault(host, origin, known);
    if (fault !== undefined) throw new RegistryError('DENIED', fault);
    next();
  };
}

/** What is wrong with a request's Host and Origin headers; undefined where nothing is. */
export function foreignFault(
  host: string | undefined,
  origin: string | undefined,
  known: KnownHosts,
): string | undefined {
  const name = hostName(host ?? '');
  if (!isAddress(name) && name !== 'localhost' && !known.has(name)) {
    return 'the Host header has to be an address, localhost, or the name of this machine';
  }
  if (origin !== undefined && originHost(origin) !== host?.toLowerCase()) {
    return 'pages of other origins may not use this API';
  }
  return undefined;
}

/** The name of a Host header, its port taken off, in lower case. */
function hostName(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}

function isAddress(name: string): boolean {
  return isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;
}

/** `null`, as of a sandboxed page, is nobody's. */
function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
