import type { Request, RequestHandler } from 'express';
import { isUnannounced } from '../access/caller.ts';
import { RegistryError } from '../oci/errors.ts';
import { parsePageSize } from '../oci/page.ts';
import type { Route } from '../registry/resolve-route.ts';
import { searchRepositories } from '../registry/search-repositories.ts';
import { commonHeaders } from './headers.ts';
import { queryOf, type Doors } from './registry-request.ts';
import type { ContextResponse } from './request-context.ts';
import { sendJson } from './send-json.ts';

/** Results on a page: as many as Docker asks for where its user says nothing, and the most it asks for. */
const pageSize = { usual: 25, most: 100 };

const yes = Buffer.from('true');

/**
 * `GET /v1/_ping`: dockerd asks for it before a search, and by the header decides how to log in. To a
 * registry that says "true" it sends a password with everything, and an empty one where it has none.
 */
export const getV1Ping: RequestHandler = (request, response) => {
  const { context } = (response as unknown as ContextResponse).locals;
  response.writeHead(200, {
    ...commonHeaders(request, context),
    'X-Docker-Registry-Standalone': 'false',
    'Content-Type': 'application/json',
    'Content-Length': yes.length,
  });
  response.end(request.method === 'HEAD' ? undefined : yes);
};

/**
 * `GET /v1/search?q=&n=&page=`, of the first registry API, which `docker search` and `podman search`
 * still use: what is hosted and what is cached, named as a client has to write it to pull.
 * @param list names in ASCII order
 */
export function getSearch(
  doors: Doors,
  list: (only: string | undefined) => Promise<string[]>,
): RequestHandler {
  return async (request, response) => {
    const { context } = (response as unknown as ContextResponse).locals;
    // podman sends no password here. Told that it has to, it looks through /v2/_catalog, with one.
    if (doors.isGuarded && isUnannounced(context.caller) && !wouldLogIn(request)) {
      throw new RegistryError('UNAUTHORIZED');
    }
    doors.enterCatalog(context);
    const query = queryOf(request, 'q') ?? '';
    const size = numberOf(request, 'n', pageSize.usual, pageSize.most);
    const page = numberOf(request, 'page', 1, Infinity);
    const found = doors.visible(context, searchRepositories(await list(undefined), query));
    const results = found.slice((page - 1) * size, page * size).flatMap((name) => {
      const route = doors.routeOf(name);
      return route === undefined ? [] : [describe(name, route)];
    });
    sendJson(request, response, {
      query,
      num_results: found.length,
      num_pages: Math.max(1, Math.ceil(found.length / size)),
      page,
      page_size: size,
      results,
    });
  };
}

/** dockerd says so: it would have sent a password, had its user logged in. */
function wouldLogIn(request: Request): boolean {
  return request.headers['x-docker-token'] === 'true';
}

/** @throws RegistryError PAGINATION_NUMBER_INVALID */
function numberOf(request: Request, name: string, usual: number, most: number): number {
  const given = parsePageSize(queryOf(request, name)) ?? usual;
  return Math.min(most, Math.max(1, given));
}

function describe(name: string, route: Route) {
  return {
    name,
    description: route.via === 'hosted' ? 'hosted here' : `cached from ${route.remote.name}`,
    star_count: 0,
    is_official: route.key.startsWith('docker.io/library/'),
    is_automated: false,
  };
}
