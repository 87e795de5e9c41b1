import type { IncomingMessage } from 'node:http';
import { schemeOf } from './request-facts.ts';

/** What may stand in a Host header, and in quotes. */
const hostShape = /^[A-Za-z0-9._-]{1,255}(:\d{1,5})?$|^\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?$/;

/** How the client calls this registry; by its own address where it does not say, as HTTP/1.0 does. */
export function originOf(request: IncomingMessage): string {
  const { host } = request.headers;
  const { localAddress = 'localhost', localPort } = request.socket;
  const address = localAddress.includes(':') ? `[${localAddress}]` : localAddress;
  const authority =
    host !== undefined && hostShape.test(host) ? host : `${address}:${String(localPort)}`;
  return `${schemeOf(request)}://${authority}`;
}
