import type { OutgoingHttpHeaders } from 'node:http';
import type { Request } from 'express';
import { cacheStatus } from './cache-status.ts';
import { queryOf } from './registry-request.ts';
import type { RequestContext } from './request-context.ts';

/** The headers that every answer of the registry API carries. */
export function commonHeaders(request: Request, context: RequestContext): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    'X-Request-Id': context.id,
    // What Docker's older clients look for on `GET /v2/`.
    'Docker-Distribution-Api-Version': 'registry/2.0',
  };
  const { outcome, route, error } = context;
  if (outcome !== undefined) {
    headers['Cache-Status'] = cacheStatus(outcome);
    if (outcome.age !== undefined) headers['Age'] = String(outcome.age);
  }
  // Distribution specification, "Registry Proxying": an honoured `ns` is confirmed.
  // Who is refused does not learn whether there is such an upstream.
  const isRefused = error?.code === 'UNAUTHORIZED' || error?.code === 'DENIED';
  if (route?.via === 'ns' && !isRefused) {
    headers['OCI-Namespace'] = queryOf(request, 'ns') ?? route.remote.name;
  }
  return headers;
}

/** Whether the client has the content already (RFC 9110, section 13.1.2; weak comparison). */
export function isNotModified(request: Request, etag: string): boolean {
  const header = request.headers['if-none-match'];
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((value) => value.trim().replace(/^W\//, '') === etag);
}
