import type { OutgoingHttpHeaders } from 'node:http';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import { RegistryError, toRegistryError } from '../oci/errors.ts';
import type { Accounts } from './accounts.ts';
import { errorCacheStatus } from './cache-status.ts';
import { challengeFor } from './challenge.ts';
import { commonHeaders } from './headers.ts';
import type { HttpObserver } from './observer.ts';
import type { ContextResponse } from './request-context.ts';

/** Statuses that say: not now. Clients that honour `Retry-After` are told to come back. */
const passing: ReadonlySet<number> = new Set([429, 503, 504]);

/**
 * The one writer of errors, in the form of the distribution specification, "Error Codes".
 * @param accounts left out where there are none
 */
export function errorHandler(observer: HttpObserver, accounts?: Accounts): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  return (thrown: unknown, request, response, _next) => {
    const { context } = (response as unknown as ContextResponse).locals;
    const error = readable(thrown);
    context.error = error;
    if (response.headersSent) {
      // Nothing honest can be said any more: the client has to see that the answer broke.
      observer.requestFailed(context, error);
      response.destroy();
      return;
    }
    if (error.status >= 500) observer.requestFailed(context, error);
    const bytes = Buffer.from(JSON.stringify(error));
    const headers: OutgoingHttpHeaders = {
      ...commonHeaders(request, context),
      'Cache-Status': errorCacheStatus(error),
      'Content-Type': 'application/json',
      'Content-Length': bytes.length,
    };
    const wait = error.retryAfter ?? (passing.has(error.status) ? 1 : undefined);
    if (wait !== undefined) headers['Retry-After'] = Math.ceil(wait);
    if (error.code === 'UNAUTHORIZED' && accounts !== undefined) {
      headers['WWW-Authenticate'] = challengeFor(accounts, request, context);
    }
    if (error.code === 'UNSUPPORTED') headers['Allow'] = context.allow;
    const { size } = Object(error.detail) as { size?: unknown };
    // An upload has no size yet.
    if (error.code === 'RANGE_INVALID' && typeof size === 'number') {
      headers['Content-Range'] = `bytes */${size}`;
    }
    context.bytes = request.method === 'HEAD' ? 0 : bytes.length;
    response.writeHead(error.status, headers);
    response.end(request.method === 'HEAD' ? undefined : bytes);
  };
}

/** Answers what no route took. */
export const notFound: RequestHandler = (request) => {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    throw new RegistryError('UNSUPPORTED', `there is nothing at this path for ${request.method}`);
  }
  throw new RegistryError('NAME_UNKNOWN', 'there is nothing at this path', {
    detail: { path: request.path.slice(0, 300) },
  });
};

/** Answers a method that a path does not take (RFC 9110, section 15.5.6). */
export function onlyFor(methods: string): RequestHandler {
  return (request, response) => {
    const { context } = (response as unknown as ContextResponse).locals;
    context.allow = methods;
    throw new RegistryError('UNSUPPORTED', `${request.method} is not supported at this path`);
  };
}

/** Express throws errors with a status of its own for paths it cannot decode. */
function readable(thrown: unknown): RegistryError {
  if (thrown instanceof URIError) {
    return new RegistryError('NAME_INVALID', 'the path is not properly encoded');
  }
  return toRegistryError(thrown);
}
