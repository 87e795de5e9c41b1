import type { Request } from 'express';
import type { Action } from '../access/action.ts';
import { RegistryError } from '../oci/errors.ts';
import { canNameRepository } from '../oci/repository-name.ts';
import {
  assertAllowed,
  type Route,
  type RouteRequest,
  type RouteTable,
} from '../registry/resolve-route.ts';
import type { RequestContext } from './request-context.ts';

/** A repository that a request wants something of. */
export interface Target {
  /** As it stands in the path, an upstream in front included, and so in the scope of a token. */
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
  /**
   * Whether a request that was let pass may read another repository, too.
   * @throws RegistryError UNAUTHORIZED: it may, with another token of the same account
   */
  permitsSource(context: RequestContext, source: Target): boolean;
  /**
   * Lets a request for names pass, of which it is then told those that are {@link visible}.
   * @throws RegistryError UNAUTHORIZED, DENIED
   */
  admitToCatalog(context: RequestContext): void;
  /** Those of the items whose repository may be pulled from. @param repositoryOf as rules name it */
  visible<T>(
    context: RequestContext,
    items: readonly T[],
    repositoryOf: (item: T) => string | undefined,
  ): readonly T[];
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

  /** Whether there is anything that not everybody may do. */
  get isGuarded(): boolean {
    return this.#guard !== undefined;
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
    context.action = action;
    const { host } = request.headers;
    const ns = queryOf(request, 'ns');
    let route: Route;
    try {
      if (context.pathPrefix !== undefined) this.#assertUpstream(context.pathPrefix);
      route = this.table.find({ name, ns, host });
    } catch (error) {
      this.#admitToNothing(context, name, ns, action);
      throw error;
    }
    context.route = route;
    this.#guard?.admit(context, targetOf(name, route), action);
    assertAllowed(route);
    return route;
  }

  /**
   * Lets a request pass that leads nowhere, so that who is refused is told the same as where it leads
   * somewhere. What no configuration could make a name of is refused for that alone: it fits into no
   * challenge, and is not worth remembering.
   * @throws RegistryError NAME_INVALID, and as {@link Guard.admit}
   */
  #admitToNothing(
    context: RequestContext,
    name: string,
    ns: string | undefined,
    action: Action,
  ): void {
    if (this.#guard === undefined) return;
    if (!canNameRepository(name)) {
      throw new RegistryError('NAME_INVALID', undefined, { detail: { name: name.slice(0, 300) } });
    }
    const repository = ns === undefined ? name : `${ns.slice(0, longestHost)}/${name}`;
    this.#guard.admit(context, { name, repository, isHosted: false }, action);
  }

  #assertUpstream(prefix: string): void {
    if (this.table.isUpstream(prefix)) return;
    throw new RegistryError('NAME_UNKNOWN', 'no upstream of this name is configured');
  }

  /**
   * The route of another repository that a request names, such as the source of a mount, where the
   * client may read it; undefined where it may not, and where the name leads nowhere. It is found by
   * its name alone: `ns` and the path's prefix are about the request's own repository.
   * @throws RegistryError as {@link Guard.permitsSource}
   */
  readable(request: Request, context: RequestContext, name: string): Route | undefined {
    const route = this.#tryResolve({ name, host: request.headers.host });
    if (route === undefined || this.#guard === undefined) return route;
    return this.#guard.permitsSource(context, targetOf(name, route)) ? route : undefined;
  }

  /**
   * Lets a request for the names of repositories pass.
   * @throws RegistryError as {@link Guard.admitToCatalog}
   */
  enterCatalog(context: RequestContext): void {
    context.action = 'pull';
    this.#guard?.admitToCatalog(context);
  }

  /**
   * Those of the names that the client may pull from.
   * @param names as clients write them; with `ns`, as they write them beside it
   */
  visible(context: RequestContext, names: readonly string[], ns?: string): readonly string[] {
    return (
      this.#guard?.visible(context, names, (name) => {
        const route = this.#tryResolve({ name, ns });
        return route && targetOf(name, route).repository;
      }) ?? names
    );
  }

  /** Where a name alone leads; undefined where it leads nowhere, or is not allowed. */
  routeOf(name: string): Route | undefined {
    return this.#tryResolve({ name });
  }

  #tryResolve(request: RouteRequest): Route | undefined {
    try {
      return this.table.resolve(request);
    } catch {
      return undefined;
    }
  }
}

/** With a port. */
const longestHost = 253 + 6;

/** What a guard has to know of where a request leads. */
export function targetOf(name: string, route: Route): Target {
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

/** All values of a query parameter. */
export function valuesOf(request: Request, name: string): string[] {
  const start = request.url.indexOf('?');
  return start < 0 ? [] : new URLSearchParams(request.url.slice(start + 1)).getAll(name);
}
