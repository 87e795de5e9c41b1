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

export function factsOf(request: Request): RequestFacts {
  const { method, originalUrl: path, headers, socket } = request;
  const { host, 'user-agent': userAgent } = headers;
  const remote = socket.remoteAddress;
  return { method, path, remote, userAgent, host, scheme: schemeOf(request) };
}

/** Behind a proxy that speaks TLS with the clients, its word for it. It decides nothing here. */
export function schemeOf({ headers, socket }: IncomingMessage): 'http' | 'https' {
  if (headers['x-forwarded-proto'] === 'https' || 'encrypted' in socket) return 'https';
  return 'http';
}
