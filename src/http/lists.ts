import type { Request, RequestHandler, Response } from 'express';
import { parseDigest } from '../oci/digest.ts';
import { mediaTypes } from '../oci/media-type.ts';
import { cutIndex, cutPage, parsePageSize } from '../oci/page.ts';
import type { Route } from '../registry/resolve-route.ts';
import type { Content } from './content.ts';
import { parameterOf, queryOf, type Doors } from './registry-request.ts';
import type { ContextResponse } from './request-context.ts';
import { sendJson } from './send-json.ts';

/** `GET /v2/<name>/tags/list?n=&last=` (distribution specification, "Listing Tags"). */
export function getTags(doors: Doors, tags: Content<Route>['tags']): RequestHandler {
  return async (request, response) => {
    const { context } = (response as unknown as ContextResponse).locals;
    const n = parsePageSize(queryOf(request, 'n'));
    const route = doors.enter(request, context, 'pull');
    const answer = await tags.list(route);
    context.outcome = answer.outcome;
    const page = cutPage(answer.tags, n, queryOf(request, 'last'));
    linkNext(request, response, page.next);
    sendJson(request, response, { name: route.repository, tags: page.items });
  };
}

/**
 * `GET /v2/_catalog?n=&last=`: what is cached and what is hosted, named as a client would ask for it
 * (CNCF distribution). Pages are cut from what this client may know of.
 */
export function getCatalog(
  doors: Doors,
  list: (only: string | undefined) => Promise<string[]>,
): RequestHandler {
  return async (request, response) => {
    const { context } = (response as unknown as ContextResponse).locals;
    doors.enterCatalog(context);
    const n = parsePageSize(queryOf(request, 'n'));
    const ns = queryOf(request, 'ns');
    const names = doors.visible(context, await namesAt(doors, ns, list), ns);
    const page = cutPage(names, n, queryOf(request, 'last'));
    linkNext(request, response, page.next);
    sendJson(request, response, { repositories: page.items });
  };
}

/**
 * The names at an upstream, or all. Where there are rules, one that is not there has none: who may see
 * none of those that are there does not learn the difference.
 */
async function namesAt(
  doors: Doors,
  ns: string | undefined,
  list: (only: string | undefined) => Promise<string[]>,
): Promise<string[]> {
  if (ns !== undefined && doors.isGuarded && !doors.table.isNamespace(ns)) return [];
  return list(ns === undefined ? undefined : doors.table.namespace(ns).name);
}

/** Bytes of descriptors in one answer: clients take no more than 4 MiB of an index. */
const maxIndexSize = 4 * 1024 * 1024 - 1024;

/** `GET /v2/<name>/referrers/<digest>?artifactType=` (distribution specification, "Listing Referrers"). */
export function getReferrers(doors: Doors, referrers: Content<Route>['referrers']): RequestHandler {
  return async (request, response) => {
    const { context } = (response as unknown as ContextResponse).locals;
    context.reference = parameterOf(request, 'digest');
    const route = doors.enter(request, context, 'pull');
    const answer = await referrers.list(route, parseDigest(context.reference));
    context.outcome = answer.outcome;
    const wanted = queryOf(request, 'artifactType');
    if (wanted !== undefined) response.setHeader('OCI-Filters-Applied', 'artifactType');
    const manifests =
      wanted === undefined
        ? answer.manifests
        : answer.manifests.filter(({ artifactType }) => artifactType === wanted);
    const page = cutIndex(manifests, maxIndexSize, queryOf(request, 'last'));
    linkNext(request, response, page.next);
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: page.items };
    sendJson(request, response, index, mediaTypes.ociIndex);
  };
}

/** Points at the next page: relative, at us, with the query kept. */
function linkNext(request: Request, response: Response, next: string | undefined): void {
  if (next === undefined) return;
  const [path, query] = request.originalUrl.split('?', 2);
  const parameters = new URLSearchParams(query);
  parameters.set('last', next);
  response.setHeader('Link', `<${path}?${parameters.toString()}>; rel="next"`);
}
