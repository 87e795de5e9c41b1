import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';

/** Who asks for what, as far as the request itself tells. */
export interface RequestFacts {
  readonly method: string;
  /** Path and query as sent. */
  readonly path: string;
  /** The client's address. */
  readonly remote: string | undefined;
  readonly userAgent: string | undefined;
  /** The Host header: how the client calls this registry. */
  readonly host: string | undefined;
  readonly scheme: 'http' | 'https';
}

/** When a request came, as `performance.now()` has it, and from where. */
export interface Arrival {
  readonly at: number;
  readonly remote: string | undefined;
}

const arrivals = new WeakMap<IncomingMessage, Arrival>();

/** Notes the arrival of a request that has to wait: when its turn comes, its client may have left. */
export function rememberArrival(request: IncomingMessage): void {
  arrivals.set(request, { at: performance.now(), remote: request.socket.remoteAddress });
}

/** The arrival of a request: just now, unless it was remembered. */
export function arrivalOf(request: IncomingMessage): Arrival {
  return arrivals.get(request) ?? { at: performance.now(), remote: request.socket.remoteAddress };
}

export function factsOf(request: Request): RequestFacts {
  const { method, originalUrl: path, headers } = request;
  const { host, 'user-agent': userAgent } = headers;
  const { remote } = arrivalOf(request);
  return { method, path, remote, userAgent, host, scheme: schemeOf(request) };
}

/** Behind a proxy that speaks TLS with the clients, its word for it. It decides nothing here. */
export function schemeOf({ headers, socket }: IncomingMessage): 'http' | 'https' {
  if (headers['x-forwarded-proto'] === 'https' || 'encrypted' in socket) return 'https';
  return 'http';
}
