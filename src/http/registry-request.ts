import type { Request } from 'express';
import type { Route, RouteTable } from '../registry/resolve-route.ts';
import type { RequestContext } from './request-context.ts';

/** Finds the route of a request below `/v2/<name>/…`, and notes it for the log. */
export function routeOf(request: Request, context: RequestContext, table: RouteTable): Route {
  // A wildcard parameter comes as its decoded components; `%2F` may hide inside one, so what is
  // validated is the joined name.
  const wildcard: unknown = request.params['name'];
  const path = Array.isArray(wildcard) ? wildcard.join('/') : String(wildcard);
  const name = context.pathPrefix === undefined ? path : `${context.pathPrefix}/${path}`;
  const route = table.resolve({ name, ns: queryOf(request, 'ns'), host: request.headers.host });
  context.route = route;
  return route;
}

/** A path parameter that is no wildcard. */
export function parameterOf(request: Request, name: string): string {
  return String(request.params[name]);
}

/** The first value of a query parameter. Cheap where there is no query, as there mostly is none. */
export function queryOf(request: Request, name: string): string | undefined {
  const start = request.url.indexOf('?');
  if (start < 0) return undefined;
  return new URLSearchParams(request.url.slice(start + 1)).get(name) ?? undefined;
}
