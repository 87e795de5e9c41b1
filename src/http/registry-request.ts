import type { Request } from 'express';
import type { Action } from '../access/action.ts';
import type { Route, RouteTable } from '../registry/resolve-route.ts';
import type { RequestContext } from './request-context.ts';

/** Decides who may do what. */
export interface Guard {
  /**
   * Lets a request pass. Whoever makes it is known by then.
   * @throws RegistryError UNAUTHORIZED, DENIED
   */
  admit(context: RequestContext, route: Route, action: Action): void;
}

/** Every door of the registry API: where a request leads, and whether it may go there. */
export class Doors {
  readonly table: RouteTable;
  readonly #guard: Guard | undefined;

  /** @param guard left out where everybody may do everything */
  constructor(table: RouteTable, guard?: Guard) {
    this.table = table;
    this.#guard = guard;
  }

  /**
   * Finds the route of a request below `/v2/<name>/…`, notes it for the log, and lets it pass.
   * @throws RegistryError as {@link RouteTable.resolve} and {@link Guard.admit}
   */
  enter(request: Request, context: RequestContext, action: Action): Route {
    // A wildcard parameter comes as its decoded components; `%2F` may hide inside one, so what is
    // validated is the joined name.
    const wildcard: unknown = request.params['name'];
    const path = Array.isArray(wildcard) ? wildcard.join('/') : String(wildcard);
    const name = context.pathPrefix === undefined ? path : `${context.pathPrefix}/${path}`;
    const { host } = request.headers;
    const route = this.table.resolve({ name, ns: queryOf(request, 'ns'), host });
    context.route = route;
    this.#guard?.admit(context, route, action);
    return route;
  }
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
