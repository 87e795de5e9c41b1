import type { Request } from 'express';
import type { Action } from '../access/action.ts';
import { isRegistryError } from '../oci/errors.ts';
import { assertAllowed, type Route, type RouteTable } from '../registry/resolve-route.ts';
import type { RequestContext } from './request-context.ts';

/** A repository that a request wants something of. */
export interface Target {
  /** As it stands in the path, and so in the scope of the token that a client asks for. */
  readonly name: string;
  /**
   * As rules name it: where it leads to an upstream with that one's name in front, whichever way
   * it was asked for. Else as it stands in the path.
   */
  readonly repository: string;
  readonly isHosted: boolean;
}

/** Decides who may do what. Whoever makes a request is known by then. */
export interface Guard {
  /**
   * Lets a request pass, or refuses it in words that do not tell what there is.
   * @throws RegistryError UNAUTHORIZED, DENIED
   */
  admit(context: RequestContext, target: Target, action: Action): void;
  /** Whether {@link admit} would let the request pass. */
  permits(context: RequestContext, target: Target, action: Action): boolean;
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
   * Finds the route of a request below `/v2/<name>/…`, notes it for the log, and lets it pass. Who
   * is not let in does not learn either whether the name leads anywhere.
   * @throws RegistryError as {@link RouteTable.resolve} and {@link Guard.admit}
   */
  enter(request: Request, context: RequestContext, action: Action): Route {
    // A wildcard parameter comes as its decoded components; `%2F` may hide inside one, so what is
    // validated is the joined name.
    const wildcard: unknown = request.params['name'];
    const path = Array.isArray(wildcard) ? wildcard.join('/') : String(wildcard);
    const name = context.pathPrefix === undefined ? path : `${context.pathPrefix}/${path}`;
    context.name = name;
    context.action = action;
    const { host } = request.headers;
    const ns = queryOf(request, 'ns');
    let route: Route;
    try {
      route = this.table.find({ name, ns, host });
    } catch (error) {
      if (this.#guard !== undefined && isRegistryError(error, 'NAME_UNKNOWN')) {
        const repository = ns === undefined ? name : `${ns}/${name}`;
        this.#guard.admit(context, { name: path, repository, isHosted: false }, action);
      }
      throw error;
    }
    context.route = route;
    this.#guard?.admit(context, targetOf(path, route), action);
    assertAllowed(route);
    return route;
  }

  /**
   * The route of another repository that a request names, such as the source of a mount, where the
   * client may read it; undefined where it may not, and where the name leads nowhere. It is found by
   * its name alone: `ns` and the path's prefix are about the request's own repository.
   */
  readable(request: Request, context: RequestContext, name: string): Route | undefined {
    let route: Route;
    try {
      route = this.table.resolve({ name, host: request.headers.host });
    } catch {
      return undefined;
    }
    const may = this.#guard?.permits(context, targetOf(name, route), 'pull') ?? true;
    return may ? route : undefined;
  }
}

function targetOf(name: string, route: Route): Target {
  return route.via === 'hosted'
    ? { name, repository: route.repository, isHosted: true }
    : { name, repository: route.key, isHosted: false };
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
